# SPDX-License-Identifier: Apache-2.0
"""The sum of terms: value, precision, and its place in MONAI's trainer."""

from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from monai.engines import SupervisedTrainer
from torch import nn

from scripts.losses import AutoencoderLoss, DSSIMLoss, KernelL2, Regulariser


class MeanOfPrediction(Regulariser):
    def forward(self, prediction, target, network):
        return prediction.mean()


def test_terms_are_weighted_and_added():
    prediction, target = torch.full((1, 1, 4, 4), 3.0), torch.full((1, 1, 4, 4), 1.0)
    loss = AutoencoderLoss(nn.MSELoss(), [MeanOfPrediction(0.5), MeanOfPrediction(0.25)])
    assert loss(prediction, target).item() == pytest.approx(4 + 0.75 * 3)


def test_network_reaches_the_regulariser_but_is_no_part_of_the_loss():
    network = nn.Conv2d(1, 1, 3)
    loss = AutoencoderLoss(nn.MSELoss(), [KernelL2(weight=2.0)], network)
    image = torch.zeros(1, 1, 4, 4)
    assert loss(image, image).item() == pytest.approx(2 * network.weight.square().sum().item(), rel=1e-6)
    assert list(loss.parameters()) == []
    assert loss.state_dict() == {}


@pytest.mark.parametrize("reconstruction", [nn.MSELoss(), DSSIMLoss()], ids=["mse", "dssim"])
def test_half_precision_prediction_is_scored_in_float32(reconstruction):
    torch.manual_seed(0)
    prediction, target = torch.rand(2, 1, 16, 16).bfloat16(), torch.rand(2, 1, 16, 16)
    loss = AutoencoderLoss(reconstruction)
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(prediction, target)
    assert value.dtype == torch.float32
    assert torch.equal(value, reconstruction(prediction.float(), target))


def test_metadata_ends_at_the_loss():
    image = MetaTensor(torch.rand(1, 1, 4, 4)).requires_grad_()
    value = AutoencoderLoss(nn.MSELoss())(image, MetaTensor(torch.zeros(1, 1, 4, 4)))
    assert type(value) is torch.Tensor
    value.backward()
    assert image.grad is not None


def test_shapes_that_differ_are_refused_instead_of_broadcast():
    with pytest.raises(ValueError, match=r"got \(2, 1, 8, 8\) and \(2, 3, 8, 8\)"):
        AutoencoderLoss(nn.MSELoss())(torch.zeros(2, 1, 8, 8), torch.zeros(2, 3, 8, 8))


def test_negative_weight_is_refused():
    with pytest.raises(ValueError, match="weight must be 0 or more, got -1"):
        MeanOfPrediction(-1)


@pytest.mark.filterwarnings("ignore")
def test_monai_trainer_steps_with_it_in_bfloat16():
    torch.manual_seed(0)
    network = nn.Conv2d(1, 1, 3, padding=1)
    before = network.weight.detach().clone()
    batch = {"image": torch.rand(2, 1, 16, 16), "label": torch.rand(2, 1, 16, 16)}
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=[batch],
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), 0.1),
        loss_function=AutoencoderLoss(DSSIMLoss(), [KernelL2()], network),
        amp=True,
        amp_kwargs={"dtype": torch.bfloat16},
    )
    trainer.run()
    assert 0 < trainer.state.output[0]["loss"] < 1
    assert not torch.equal(network.weight, before)
