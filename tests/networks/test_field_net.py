# SPDX-License-Identifier: Apache-2.0
"""A bias field is undone."""

from __future__ import annotations

import torch

from scripts.corruptions import bias_field
from scripts.corruptions.bias_field import bias_terms
from scripts.networks import FieldNet
from scripts.networks.field_net import GRID, coarse_tissue


def told(coefficients: torch.Tensor) -> FieldNet:
    """A network that says the same of every volume."""
    network = FieldNet(channels=4).eval()
    with torch.no_grad():
        network.layers[-1].weight.zero_()
        network.layers[-1].bias.copy_(coefficients)
    return network


def test_a_known_field_is_undone():
    terms = bias_terms(3, 3)
    coefficients = torch.zeros(len(terms))
    coefficients[terms.index((0, 0, 1))] = 0.3
    clean = torch.ones(1, 1, 41, 50, 60)
    damaged = bias_field(clean, torch.tensor([0.3]), coefficients[None], 3, inscribed=True)
    undone, strength = told(coefficients).undo(damaged)
    inner = (..., slice(8, -8), slice(8, -8), slice(8, -8))
    assert float((damaged[inner] - 1).abs().max()) > 0.2
    torch.testing.assert_close(undone[inner], clean[inner], atol=0.02, rtol=0)
    assert 0.1 < float(strength) < 0.3


def test_a_gain_of_the_whole_volume_changes_nothing():
    torch.manual_seed(0)
    network, volume = FieldNet(channels=4).eval(), 0.3 + torch.rand(1, 1, 40, 44, 36)
    total, share = coarse_tissue(volume)
    assert total.shape == share.shape == (1, 1, *GRID)
    torch.testing.assert_close(network(total, share), network(2 * total, share))


def test_without_tissue_there_is_a_finite_field():
    undone, strength = FieldNet(channels=4).eval().undo(torch.zeros(1, 1, 30, 30, 30))
    assert not undone.any()
    assert float(strength) == 0
