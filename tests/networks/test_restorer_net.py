# SPDX-License-Identifier: Apache-2.0
"""The damage chooses the network."""

from __future__ import annotations

import pytest
import torch

from scripts.corruptions import KINDS
from scripts.networks import FieldNet, RestorerNet, SlabUNet, VerdictNet

TOLD = {"blocks": (1, 1, 1), "slab": 2, "margin": 1}


@pytest.fixture
def restorer() -> RestorerNet:
    verdict = VerdictNet(len(KINDS))
    network = RestorerNet(
        SlabUNet(channels=(4, 4, 4), verdict=verdict, **TOLD),
        SlabUNet(channels=(4, 4, 4), kinds=len(KINDS), **TOLD),
        FieldNet(channels=4),
    )
    with torch.no_grad():
        network.volumes.head.bias.fill_(0.25)
        network.slices.head.bias.fill_(0.5)
    return network.eval()


@pytest.mark.parametrize(
    ("kind", "level", "change"),
    [("noise", 0.9, 0.5), ("dropout", 0.9, 0.5), ("holes", 0.9, 0.5), ("bias", 0.9, 0.25), ("blur", 0.4, 0.25),
     ("motion", 0.2, 0.5)],
)  # fmt: skip
def test_the_damage_chooses_the_network(restorer, kind, level, change):
    x, levels = torch.rand(1, 1, 8, 8, 5), torch.zeros(1, len(KINDS))
    levels[0, KINDS.index(kind)] = level
    torch.testing.assert_close(restorer(x, levels)[:, :1], x + change)


def test_one_network_is_trained(restorer):
    restorer.train()
    x, levels = torch.rand(1, 1, 8, 8, 5), torch.zeros(1, len(KINDS))
    restorer(x, levels).sum().backward()
    torch.testing.assert_close(restorer(x, levels)[:, :1], x + 0.25)
    assert all(parameter.grad is None for parameter in restorer.slices.parameters())


def test_a_network_that_must_be_told_says_so():
    with pytest.raises(ValueError, match="levels of damage are neither given nor told"):
        SlabUNet(channels=(4, 4, 4), kinds=3, **TOLD)(torch.rand(1, 1, 8, 8, 5))
