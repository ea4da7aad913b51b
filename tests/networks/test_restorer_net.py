# SPDX-License-Identifier: Apache-2.0
"""The damage chooses the network."""

from __future__ import annotations

import pytest
import torch

from scripts.anatomy.damage_kinds import KINDS
from scripts.networks import FieldNet, RestorerNet, SlabUNet, VerdictNet


class Half(torch.nn.Module):
    """Adds a half to slices."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.ndim == 4
        return x + 0.5


@pytest.fixture
def restorer() -> RestorerNet:
    volumes = SlabUNet(channels=(4, 4, 4), blocks=(1, 1, 1), slab=2, margin=1, verdict=VerdictNet(len(KINDS)))
    with torch.no_grad():
        volumes.head.bias.fill_(0.25)
    return RestorerNet(volumes, Half(), FieldNet(channels=4)).eval()


@pytest.mark.parametrize(
    ("kind", "filled", "change"),
    [("noise", False, 0.25), ("noise", True, 0.5), ("holes", True, 0.5), ("blur", True, 0.25), ("bias", False, 0.25)],
)
def test_the_damage_chooses_the_network(restorer, kind, filled, change):
    x, levels = torch.rand(1, 2, 8, 8, 5), torch.zeros(1, len(KINDS))
    levels[0, KINDS.index(kind)] = 0.9
    torch.testing.assert_close(restorer(x if filled else x[:, :1], levels)[:, :1], x[:, :1] + change)


def test_one_network_is_trained(restorer):
    restorer.train()
    restorer(torch.rand(1, 2, 8, 8, 5), torch.zeros(1, len(KINDS))).sum().backward()
    assert restorer.volumes.head.bias.grad is not None
    assert all(parameter.grad is None for parameter in restorer.field.parameters())
