# SPDX-License-Identifier: Apache-2.0
"""Network that tells the bias field of a whole volume from coarse means of its tissue."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..corruptions.bias_field import bias_terms, smooth_field
from .volume_statistics import block_means

__all__ = ["FieldNet", "coarse_tissue"]

CELLS = 20
GRID = (CELLS, CELLS, CELLS)
TISSUE = 0.15
"""Intensity above which a voxel is tissue, 1 = the 99.5th percentile."""
LEAST_SHARE, FULL = 0.05 + 1e-5, 0.3 + 1e-5
"""Of tissue in a cell that tells something, and that counts for the level of the whole; no number of voxels has it, so
that rounding does not decide."""
RANGE = (0.05, 4.0)


def coarse_tissue(volumes: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of the tissue's intensity and share of the tissue in the cells of a coarse grid.

    Args:
        volumes: shape ``(B, 1, H, W, D)``, nothing 0, 99.5th percentile 1.

    Returns:
        Both ``(B, 1, *GRID)``.
    """
    tissue = (volumes > TISSUE).to(volumes.dtype)
    return block_means(volumes * tissue, CELLS), block_means(tissue, CELLS)


class BlockMeans(nn.Module):
    """Adaptive pooling that can be exported."""

    def forward(self, x: Tensor) -> Tensor:
        """Means in 27 blocks, ``(B, C, 3, 3, 3)``."""
        return block_means(x, 3)


class FieldNet(nn.Module):
    """Predict the logarithm of the gain of each voxel, as a polynomial.

    What a healthy head looks like without a field, the head's own field included, is learnt; a method that makes the
    tissues even, such as N4, takes the head's own field out as well.

    Args:
        channels: channels at half of the grid's resolution, half of those at the full one.
        degree: of the polynomial.
    """

    def __init__(self, channels: int = 32, degree: int = 3) -> None:
        super().__init__()
        self.degree = degree
        half = channels // 2
        self.layers = nn.Sequential(
            nn.Conv3d(2, half, 3, padding=1),
            nn.ReLU(),
            nn.Conv3d(half, channels, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv3d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv3d(channels, channels, 3, stride=2, padding=1),
            nn.ReLU(),
            BlockMeans(),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(27 * channels, 64),
            nn.ReLU(),
            nn.Linear(64, len(bias_terms(3, degree))),
        )

    def forward(self, total: Tensor, share: Tensor) -> Tensor:
        """Predict fields on the coarse grid.

        Args:
            total: sum of the tissue's intensity in each cell, ``(B, 1, *GRID)``.
            share: of tissue in it, same shape.

        Returns:
            Logarithm of the gain, same shape; its mean within the ellipsoid that touches the sides is 0.
        """
        mean = total / share.clamp(min=1e-3)
        full = (share > FULL).flatten(1)
        count = full.sum(dim=1, keepdim=True)  # of which the median is the level
        ordered = torch.where(full, mean.flatten(1), torch.inf).sort(dim=1).values
        level = ordered.gather(1, (count - 1).clamp(min=0) // 2).view(-1, 1, 1, 1, 1)
        known = (share > LEAST_SHARE) & (count > 0).view_as(level)
        mean = torch.where(known, (mean / level).clamp(*RANGE).log(), 0.0)
        coefficients = self.layers(torch.cat([mean, share], dim=1))
        return smooth_field(coefficients, GRID, self.degree, inscribed=True)

    def undo(self, volumes: Tensor) -> tuple[Tensor, Tensor]:
        """Divide volumes by their fields.

        Args:
            volumes: see :func:`coarse_tissue`.

        Returns:
            The volumes, and the root mean square of the logarithm of the gain in their tissue, ``(B,)``.
        """
        total, share = coarse_tissue(volumes)
        field = self(total, share)
        strength = (field.square() * share).flatten(1).sum(dim=1) / share.flatten(1).sum(dim=1).clamp(min=1e-3)
        fine = F.interpolate(field, volumes.shape[2:], mode="trilinear", align_corners=False)
        return volumes * fine.neg_().exp_(), strength.sqrt()
