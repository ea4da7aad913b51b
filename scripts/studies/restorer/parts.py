# SPDX-License-Identifier: Apache-2.0
"""The networks that the restorer is made of, as in ``configs/net/restorer.yaml``."""

from __future__ import annotations

from ...corruptions import KINDS
from ...networks import FieldNet, RestorerNet, SlabUNet, VerdictNet

__all__ = ["restorer_network", "slice_network", "volume_network"]


def volume_network(verdict: VerdictNet) -> SlabUNet:
    """For all kinds of damage."""
    return SlabUNet(channels=(64, 96, 96), verdict=verdict)


def slice_network() -> SlabUNet:
    """For noise and for what was lost; it sees fewer slices at once and has more to spend on each."""
    return SlabUNet(channels=(48, 72, 72), blocks=(1, 1, 1), slab=2, margin=2, kinds=len(KINDS))


def restorer_network() -> RestorerNet:
    """All of it."""
    return RestorerNet(volume_network(VerdictNet(len(KINDS))), slice_network(), FieldNet())
