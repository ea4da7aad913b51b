# SPDX-License-Identifier: Apache-2.0
"""The networks that the restorer is made of, as in ``configs/net/restorer.yaml``."""

from __future__ import annotations

from ...corruptions import KINDS
from ...networks import FieldNet, ResidualUNet, RestorerNet, SlabUNet, VerdictNet

__all__ = ["restorer_network", "volume_network"]


def volume_network(verdict: VerdictNet) -> SlabUNet:
    """For all kinds of damage."""
    return SlabUNet(channels=(64, 96, 96), verdict=verdict)


def restorer_network() -> RestorerNet:
    """All of it."""
    slices = ResidualUNet(spatial_dims=2, residual_output=True)
    return RestorerNet(volume_network(VerdictNet(len(KINDS))), slices, FieldNet())
