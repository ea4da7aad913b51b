# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from torch import nn

from scripts.networks import ShuffleUNet


def network(**arguments: object) -> ShuffleUNet:
    """A small network in which nothing is zero any more."""
    torch.manual_seed(0)
    made = ShuffleUNet(**{"features": 4, "levels": 2, **arguments})
    nn.init.normal_(made.head.conv.weight, std=0.1)
    return made.eval()


@pytest.mark.parametrize("shape", [(2, 1, 16, 24), (1, 1, 8, 8, 16)], ids=["2D", "3D"])
def test_an_untrained_network_returns_its_input_and_a_trained_one_something_else(shape):
    x = torch.rand(shape)
    small = {"spatial_dims": len(shape) - 2, "features": 8}
    assert torch.equal(ShuffleUNet(**small)(x), x)
    y = network(**small)(x)
    assert y.shape == x.shape
    assert not torch.allclose(y, x)


def test_parameters_of_the_paper_are_counted():
    """Of 2-D convolutions of 3 x 3 at 64, 128 and 256 channels, of which four in parallel decompose."""

    def conv(channels: int, wanted: int) -> int:
        return (9 * channels + 1) * wanted

    expected = conv(1, 64) + conv(64, 64) + 64 + 1
    for width in (64, 128, 256):
        expected += 2 * 4 * conv(width, width)  # decomposed on either side
        expected += conv(width, width // 4) + conv(width, 2 * width) + conv(2 * width, 2 * width)
        expected += conv(2 * width, 4 * width) + conv(5 * width, width) + conv(width, width)
    assert sum(p.numel() for p in ShuffleUNet().parameters()) == expected


def test_pixels_are_rearranged_and_not_lost_on_the_way_down():
    made = network(levels=1)
    nn.init.dirac_(made.down[0][0].conv_block.weight)  # passes the first channel on
    nn.init.zeros_(made.down[0][0].conv_block.bias)
    parts = torch.rand(1, 4, 8, 8)
    down = made.down[0][0](parts)
    assert down.shape == (1, 4, 4, 4)
    assert torch.equal(down.flatten().sort().values, parts[:, 0].flatten().sort().values)


def test_it_moves_with_its_input_by_as_much_as_it_halves():
    x, made = torch.zeros(1, 1, 64, 64), network(levels=1)
    x[..., 28:36, 28:36] = torch.rand(8, 8)
    moved = made(x.roll(2, dims=3))
    inner = (..., slice(24, 40), slice(24, 40))
    torch.testing.assert_close(moved[inner], made(x).roll(2, dims=3)[inner], atol=1e-5, rtol=0)
    assert not torch.allclose(made(x.roll(1, dims=3))[inner], made(x).roll(1, dims=3)[inner], atol=1e-5)


def test_gradient_reaches_every_parameter():
    made = network(features=16)
    made(torch.rand(2, 1, 16, 16)).square().sum().backward()
    assert [name for name, p in made.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match="not divisible by 4"):
        network()(torch.rand(1, 1, 16, 18))
    with pytest.raises(ValueError, match="features must be a multiple of 8, which are rearranged, got 12"):
        ShuffleUNet(3, features=12)
