# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch

from scripts.anomaly import Head
from scripts.anomaly.healthy_template import HealthyTemplate, shipped_template


def seen_template(matrix: np.ndarray) -> Head:
    """The template itself as a head of 4 mm, moved by a matrix."""
    mean = shipped_template().mean
    image = mean.values[0, 0].clone()
    return Head(image, image > 0.2, matrix @ mean.affine)


@pytest.mark.parametrize("pitch", [-0.2, 0.0, 0.15])
def test_a_moved_template_is_brought_back(pitch):
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(pitch), -np.sin(pitch)], [np.sin(pitch), np.cos(pitch)]]
    turn[:3, :3] = turn[:3, :3] @ np.diag([1.08, 0.95, 1.04])
    turn[:3, 3] = [12, -30, 25]
    head = seen_template(turn)
    fit = shipped_template().fit(head)
    places = head.points(head.brain)
    expected = (places - torch.tensor(turn[:3, 3]).float()) @ torch.linalg.inv(torch.tensor(turn[:3, :3]).float()).T
    found = places @ fit[:, :3].T + fit[:, 3]
    assert (found - expected).norm(dim=1).mean() < 2.0


def test_regions_have_their_sides():
    template = shipped_template()
    for x, side in ((-30.0, "left"), (30.0, "right")):
        assert template.region(torch.tensor([x, 30.0, 25.0])) == f"{side} frontal lobe, white matter"
        assert template.region(torch.tensor([x, -60.0, -50.0])) == f"{side} cerebellum"
    assert template.region(torch.tensor([0.0, 0.0, 500.0])) == "outside of the atlas"


def test_the_template_is_kept_in_a_file(tmp_path):
    template = shipped_template()
    template.save(tmp_path / "t.npz")
    again = HealthyTemplate.load(tmp_path / "t.npz")
    assert torch.equal(again.mean.values, template.mean.values)
    assert again.names == template.names
