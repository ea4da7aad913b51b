# SPDX-License-Identifier: Apache-2.0
"""All repairs that need no training, in their order."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from .erased import fill_erased
from .kspace_spikes import remove_spikes
from .line_gains import equalise_lines

__all__ = ["Repaired", "repair"]


class Repaired(NamedTuple):
    """Volumes that were repaired, and what was done to each."""

    volumes: Tensor
    """Shape ``(B, 1, H, W, D)``."""
    filled: Tensor
    """What was filled, boolean, same shape."""
    gain: Tensor
    """Logarithm of the gain of alternate lines of k-space that was undone, ``(B,)``."""
    spiked: Tensor
    """Share of the slices that had spikes, ``(B,)``."""

    def done(self, number: int = 0) -> list[str]:
        """What was done to one of the volumes, in words."""
        kinds = {
            "erased voxels": self.filled.flatten(1).any(dim=1),
            "ghosts": self.gain != 0,
            "spikes": self.spiked > 0,
        }
        return [word for word, there in kinds.items() if there[number]]


def repair(volumes: Tensor, dark: bool = False) -> Repaired:
    """Fill what was erased, equalise alternate lines of k-space and remove its spikes; sound volumes stay as they are.

    Args:
        volumes: shape ``(B, 1, H, W, D)``, background 0, 99.5th percentile about 1.
        dark: see :func:`~scripts.repairs.erased.fill_erased`.
    """
    volumes, filled = fill_erased(volumes, dark)
    volumes, gain = equalise_lines(volumes)
    volumes, spiked = remove_spikes(volumes)
    return Repaired(volumes, filled, gain, spiked)
