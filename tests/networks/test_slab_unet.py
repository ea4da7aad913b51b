# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from scripts.networks import SlabUNet
from scripts.networks.slab_unet import markov_whitening

SMALL = {"channels": (8, 8, 8), "slab": 4, "margin": 2}


def network(**arguments: object) -> SlabUNet:
    """A small network in which nothing is zero any more."""
    torch.manual_seed(0)
    made = SlabUNet(**{**SMALL, **arguments}).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return made


@pytest.mark.parametrize("depth", [1, 4, 7, 11])
def test_any_number_of_slices_comes_back(depth):
    x = torch.rand(2, 2, 16, 24, depth)
    assert network()(x).shape == (2, 2, 16, 24, depth)


def test_an_untrained_network_returns_its_input():
    x = torch.rand(1, 2, 16, 16, 9)
    y = SlabUNet(**SMALL)(x)
    assert torch.equal(y[:, 0], x[:, 0])
    assert not y[:, 1].any()
    assert not SlabUNet(**SMALL, residual_output=False)(x).any()


def test_a_mask_that_is_left_out_is_a_mask_of_zeros():
    x = torch.rand(1, 1, 16, 16, 9)
    with torch.no_grad():
        torch.testing.assert_close(
            network()(x), network()(torch.cat([x, torch.zeros_like(x)], dim=1)), atol=1e-3, rtol=0
        )


def test_volumes_of_a_batch_do_not_see_each_other():
    x = torch.rand(2, 1, 16, 16, 9)
    with torch.no_grad():
        torch.testing.assert_close(network()(x)[1:], network()(x[1:]), atol=1e-3, rtol=0)


def test_every_slice_sees_the_whole_volume_and_the_mask():
    x = torch.rand(1, 2, 16, 16, 17, requires_grad=True)
    network()(x)[0, 0, :, :, 0].sum().backward()
    assert x.grad.abs().amin(dim=(2, 3)).min() > 0  # of every slice and channel


def test_without_the_context_a_slice_sees_a_slab_and_its_margin():
    x = torch.rand(1, 1, 16, 16, 12)
    moved = x.clone()
    moved[0, 0, 4, 11, 5] += 1
    made = network()
    for parameter in [*made.describe.parameters(), *made.through.parameters()]:
        torch.nn.init.zeros_(parameter)  # no whole-volume context
    with torch.no_grad():
        change = (made(moved) - made(x)).abs()[0, 0]
    slices = change.amax(dim=(0, 1)).nonzero()[:, 0].tolist()
    assert slices == list(range(8))  # of the two slabs that see it; the third begins at 8, two slices beyond its margin


def test_gradient_reaches_every_parameter():
    made = network()
    made(torch.rand(1, 2, 16, 16, 9)).square().sum().backward()
    assert [name for name, p in made.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_whitening_decorrelates_a_markov_field():
    slices, rho = 6, 0.9
    matrix = markov_whitening(slices).double()
    torch.testing.assert_close(matrix, matrix.T)
    index = torch.cartesian_prod(torch.arange(slices), torch.arange(2), torch.arange(2)).double()
    distance = (index[:, None] - index[None]).abs().sum(dim=2)
    moments = 0.06 * rho**distance + 0.1 + 0.02**2 * torch.eye(4 * slices)
    torch.testing.assert_close(matrix @ moments @ matrix, torch.eye(4 * slices).double(), atol=2e-4, rtol=0)


@pytest.mark.parametrize("wrong", [{"channels": (8, 8)}, {"slab": 0}, {"margin": -1}, {"blocks": (1, 0, 1)}])
def test_wrong_sizes_are_refused(wrong):
    with pytest.raises(ValueError, match="three positive numbers"):
        SlabUNet(**{**SMALL, **wrong})


def test_planes_must_be_multiples_of_eight():
    with pytest.raises(ValueError, match="not divisible by 8"):
        network()(torch.rand(1, 1, 12, 16, 5))
