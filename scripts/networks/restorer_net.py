# SPDX-License-Identifier: Apache-2.0
"""The shipped restorer: networks for all kinds of damage, for noise and lost voxels, and for the bias field."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .error_spread import ErrorSpread
from .field_net import FieldNet
from .slab_unet import SlabUNet

__all__ = ["OTHERS", "RestorerNet"]

OTHERS = (0, 1, 2, 4, 5, 8)
"""Numbers of the kinds of damage that the network for slices has not learnt: all but noise, dropout and holes."""


class RestorerNet(nn.Module):
    """Two networks, of which the damage chooses one, and one for the bias field, which comes before.

    Noise, dropped voxels and holes are what neighbouring voxels tell most about: a network that spends much on each
    slice restores a volume that has nothing else. All other volumes go through one that sees more slices at once and
    spends less on each. In training there is only this one.

    Args:
        volumes: network for volumes, with a verdict.
        slices: network for noise and for what was filled, which is told the levels.
        field: network that tells the bias field.
        most: level of another damage from which volumes go through the first network.

    Attributes:
        spread: corrects the standard deviations.
    """

    def __init__(self, volumes: SlabUNet, slices: SlabUNet, field: FieldNet, most: float = 0.3) -> None:
        super().__init__()
        self.volumes, self.slices, self.most = volumes, slices.requires_grad_(False), most
        self.field = field.requires_grad_(False)
        self.spread = ErrorSpread(0 if volumes.verdict is None else volumes.verdict.kinds)

    @property
    def verdict(self) -> Any:
        """What tells the levels."""
        return self.volumes.verdict

    def forward(self, x: Tensor, levels: Tensor | None = None) -> Tensor:
        """Restore volumes.

        Args:
            x: volumes and masks of what was filled in them, ``(B, 2, H, W, D)``, or volumes alone, ``(B, 1, H, W, D)``;
                H and W multiples of 8.
            levels: how much of which damage they have, ``(B, kinds)``; by default the verdict tells.

        Returns:
            Restored volumes and logarithms of their standard deviation, not corrected, ``(B, 2, H, W, D)``.
        """
        if levels is None:
            levels = torch.sigmoid(self.verdict(x[:, :1])[:, :-1])
        others = not self.training and float(levels[:, OTHERS].max()) <= self.most
        restored: Tensor = (self.slices if others else self.volumes)(x, levels)
        return restored
