# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from torch import nn

from scripts.networks import ReconResNet


def network(**arguments: object) -> ReconResNet:
    """A small network in which nothing is zero any more."""
    torch.manual_seed(0)
    made = ReconResNet(**{"features": 4, "blocks": 2, **arguments})
    nn.init.normal_(made.head.conv.weight, std=0.1)
    return made.eval()


@pytest.mark.parametrize("shape", [(2, 1, 16, 20), (1, 1, 8, 8, 12)], ids=["2D", "3D"])
def test_an_untrained_network_returns_its_input_and_a_trained_one_something_else(shape):
    x = torch.rand(shape)
    assert torch.equal(ReconResNet(len(shape) - 2, features=4, blocks=1)(x), x)
    y = network(spatial_dims=len(shape) - 2)(x)
    assert y.shape == x.shape
    assert not torch.allclose(y, x)


def test_further_channels_inform_the_correction_of_the_first():
    x = torch.rand(1, 2, 16, 16)
    made = network(in_channels=2)
    assert made(x).shape == (1, 1, 16, 16)
    assert not torch.allclose(made(x), made(torch.cat([x[:, :1], 1 - x[:, 1:]], dim=1)))


def test_parameters_of_the_paper_are_counted():
    """Convolutions of 7, 3, 3 elements down and up, 14 blocks of two at 256 channels, and a slope for each PReLU."""
    kernels = 49 * 64 + 9 * (64 * 128 + 128 * 256) + 14 * 2 * 9 * 256**2 + 9 * (256 * 128 + 128 * 64) + 49 * 64
    biases = 64 + 128 + 256 + 14 * 2 * 256 + 128 + 64 + 1
    assert sum(p.numel() for p in ReconResNet().parameters()) == kernels + biases + 5 + 14


def test_a_block_adds_to_its_input_and_drops_whole_channels_in_training_alone():
    made = network(blocks=1, dropout=1.0)
    block, x = made.blocks[0], torch.rand(1, 16, 4, 4)
    assert not torch.allclose(block(x), x)
    torch.testing.assert_close(block.train()(x), x)  # of what was dropped, normalisation leaves nothing
    dropout = next(m for m in network(dropout=0.5).modules() if isinstance(m, nn.Dropout2d)).train()
    dropped = dropout(torch.ones(1, 64, 4, 4)) == 0
    assert torch.equal(dropped.all(dim=(2, 3)), dropped.any(dim=(2, 3)))


def test_gradient_reaches_every_parameter():
    made = network()
    made(torch.rand(2, 1, 16, 16)).square().sum().backward()
    without = {name for name, p in made.named_parameters() if p.grad is None or not p.grad.any()}
    assert {name for name in without if not name.endswith("conv.bias")} == set()  # the norm takes biases away


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match="not divisible by 4"):
        network()(torch.rand(1, 1, 16, 18))
    with pytest.raises(ValueError, match="spatial_dims must be 2 or 3, got 1"):
        ReconResNet(1)
