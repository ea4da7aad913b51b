# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest
import torch

from scripts.losses import AnomalyLoss, RestorationLoss


def volumes(*errors: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Predictions with a constant error each, log sd 0, and their targets, all voxels of weight 1."""
    target = torch.rand(len(errors), 2, 4, 4, 4)
    target[:, 1] = 1
    prediction = torch.zeros_like(target)
    prediction[:, 0] = target[:, 0] + torch.tensor(errors).view(-1, 1, 1, 1)
    return prediction, target


def test_roots_are_averaged_over_volumes():
    loss = RestorationLoss(floor=1e-12, sd_weight=0.0)
    prediction, target = volumes(0.1, 0.001)
    assert float(loss(prediction, target)) == pytest.approx(10 * (0.1 + 0.001) / 2, abs=1e-4)
    assert float(loss(target * torch.tensor([1.0, 0.0]).view(1, 2, 1, 1, 1), target)) == pytest.approx(1e-5, rel=1e-3)


def test_each_volume_pulls_with_the_same_force():
    prediction, target = volumes(0.1, 0.01)
    prediction.requires_grad_()
    RestorationLoss(floor=1e-9, sd_weight=0.0)(prediction, target).backward()
    ruined, slight = prediction.grad[:, 0].flatten(1).norm(dim=1).tolist()
    assert ruined == pytest.approx(slight, rel=1e-3)


def test_a_surprise_has_a_bounded_pull_on_the_scale():
    pulls = []
    for error in (1.0, 1000.0):
        prediction, target = volumes(error)
        prediction[:, 1] = -5
        prediction.requires_grad_()
        RestorationLoss(sd_weight=1.0)(prediction, target).backward()
        pulls.append(float(prediction.grad[:, 1].sum()))
    assert pulls[1] == pytest.approx(pulls[0], rel=1e-2)
    assert pulls[0] == pytest.approx(-4, rel=1e-2)  # minus the degrees of freedom


def test_voxels_without_weight_do_not_count():
    prediction, target = volumes(0.1)
    target[..., 0, 1] = target[..., 0, 1]
    loss = RestorationLoss()
    wrong = prediction.clone()
    wrong[0, 0, 0] += 5
    target[0, 1, 0] = 0
    assert float(loss(wrong, target)) == pytest.approx(float(loss(prediction, target)))


def test_the_likeliest_standard_deviation_is_the_error():
    loss = RestorationLoss(sd_weight=1.0)
    prediction, target = volumes(0.05)
    values = []
    for sd in (0.025, 0.05, 0.1):
        prediction[:, 1] = math.log(sd)
        values.append(float(loss(prediction, target)))
    assert values[1] < min(values[0], values[2])


def test_the_standard_deviation_does_not_move_the_image():
    prediction, target = volumes(0.05)
    gradients = []
    for weight in (0.0, 1.0):
        image = prediction.clone().requires_grad_()
        RestorationLoss(sd_weight=weight)(image, target).backward()
        gradients.append(image.grad[:, 0])
    assert torch.equal(*gradients)


def test_a_floor_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        RestorationLoss(floor=0.0)


def test_anomalies_found_and_undone_cost_nothing():
    target = torch.rand(2, 2, 4, 4, 4)
    target[:, 1] = (torch.rand(2, 4, 4, 4) > 0.8).float()
    prediction = target.clone()
    prediction[:, 1] = 40 * (target[:, 1] - 0.5)
    loss = AnomalyLoss()
    assert float(loss(prediction, target)) < 1e-3
    missed = prediction.clone()
    missed[:, 1] = -20
    changed = prediction.clone()
    changed[:, 0] += 0.1
    assert float(loss(missed, target)) > 0.5
    assert float(loss(changed, target)) > 0.2
    outside = target.clone()
    outside[:, 1, 0] = -1
    prediction[:, :, 0] = 7.0  # counts for nothing
    assert float(loss(prediction, outside)) < 1e-3
