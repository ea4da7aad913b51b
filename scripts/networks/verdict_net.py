# SPDX-License-Identifier: Apache-2.0
"""What was done to a volume, and how much of it, read off its statistics."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .volume_statistics import STATISTICS, volume_statistics

__all__ = ["VerdictNet"]

MOMENTUM = 0.02
LARGEST = 6.0
"""Standard deviations beyond which a statistic counts no further."""


class VerdictNet(nn.Module):
    """Perceptron on the statistics of a volume, see :func:`~scripts.networks.volume_statistics.volume_statistics`.

    It tells how much of each kind of damage a volume has, and whether it lies outside of the training.

    Args:
        kinds: number of kinds of damage.
        hidden: width of the two hidden layers.
        dropout: share of hidden units that are left out in training.

    Example:
        >>> VerdictNet(kinds=9)(torch.rand(2, 1, 24, 32, 16)).shape
        torch.Size([2, 10])
    """

    mean: Tensor
    variance: Tensor
    seen: Tensor

    def __init__(self, kinds: int, hidden: int = 128, dropout: float = 0.1) -> None:
        super().__init__()
        self.kinds = kinds
        self.register_buffer("mean", torch.zeros(STATISTICS))
        self.register_buffer("variance", torch.ones(STATISTICS))
        self.register_buffer("seen", torch.zeros(()))
        self.layers = nn.Sequential(
            nn.Linear(STATISTICS, hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden, kinds + 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Log odds of the level of each kind of damage, and of lying outside of the training.

        Args:
            x: volumes, ``(B, C, H, W, D)``, of which the first channel is looked at, or their statistics,
                ``(B, STATISTICS)``.

        Returns:
            Shape ``(B, kinds + 1)``; its sigmoid is the level, from 0 to 1, or the probability.
        """
        with torch.autocast(x.device.type, enabled=False):
            statistics = volume_statistics(x[:, :1]) if x.ndim == 5 else x
            if self.training:
                self._follow(statistics.detach())
            return self.layers(self.normalised(statistics))

    def normalised(self, statistics: Tensor) -> Tensor:
        """Statistics with mean 0 and variance 1, outliers cut off, same shape."""
        return ((statistics - self.mean) / (self.variance + 1e-6).sqrt()).clamp(-LARGEST, LARGEST)

    @torch.no_grad()
    def _follow(self, statistics: Tensor) -> None:
        """Moving mean and variance."""
        self.seen += 1
        rate = float((1 / self.seen).clamp(min=MOMENTUM))
        change = statistics - self.mean
        self.mean += rate * change.mean(dim=0)
        self.variance += rate * (change.square().mean(dim=0) - self.variance)
