# SPDX-License-Identifier: Apache-2.0
"""The shipped restorer: a network for whole volumes, one for slices where voxels were lost, one for the bias field."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .error_spread import ErrorSpread
from .field_net import FieldNet
from .slab_unet import SlabUNet

__all__ = ["RestorerNet"]

OTHERS = (0, 1, 2, 4, 5, 8)
"""Numbers of the kinds of damage that the network for slices has not learnt: all but noise, dropout and holes."""
SLICES = 30
"""At a time."""


class RestorerNet(nn.Module):
    """Two networks, of which the damage chooses one, and one for the bias field, which comes before.

    A volume in which voxels were filled, and which has nothing else but noise, goes through the network for slices,
    which learnt noise and holes together. All others go through the one for volumes, which is told the levels of
    damage, and tells the standard deviation of all. In training there is only this one.

    Args:
        volumes: network for volumes, with a verdict.
        slices: network from slices ``(B, 1, H, W)`` to restored ones; it is not trained.
        field: network that tells the bias field, which is undone before; it is not trained.
        most: level of another damage from which filled volumes go through the network for volumes as well.

    Attributes:
        spread: corrects the standard deviations.
    """

    def __init__(self, volumes: SlabUNet, slices: nn.Module, field: FieldNet, most: float = 0.7) -> None:
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
        restored = self.volumes(x, levels)
        if self.training or x.shape[1] == 1 or float(levels[:, OTHERS].max()) > self.most:
            return restored
        slices = x[:, 0].movedim(-1, 1).flatten(0, 1)[:, None]  # (B * D, 1, H, W)
        done = torch.cat([self.slices(some) for some in slices.split(SLICES)])
        image = done[:, 0].unflatten(0, (len(x), -1)).movedim(1, -1)
        return torch.cat([image[:, None].to(restored), restored[:, 1:]], dim=1)
