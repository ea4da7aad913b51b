# SPDX-License-Identifier: Apache-2.0
"""Standard deviations of errors that hold what they promise: corrected by what was done to the volume."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["COVERAGES", "FEATURES", "REPAIRS", "ErrorSpread", "known", "voxel_features"]

REPAIRS = ("erased voxels", "ghosts", "spikes", "blur", "uneven brightness", "noise")
"""What is undone before a network sees the volume, so that it does not see the errors."""
COVERAGES = (0.5, 0.9, 0.99)
"""Shares of the true values that intervals are to hold."""
NORMAL = (0.6745, 1.6449, 2.5758)
"""Half widths of these intervals for normally distributed errors of standard deviation 1."""
FEATURES = ("1", "log sd", "filled", "log change", "log detail")
"""What is known of each voxel."""
SMALL = 2e-3
"""Changes and details that are as good as none, 1 = the bright end."""


def voxel_features(log_sd: Tensor, filled: Tensor, restored: Tensor, before: Tensor) -> Tensor:
    """What tells how large the error of each voxel may be, apart from what is known of the whole volume.

    Args:
        log_sd: logarithm of the standard deviation that a network predicts, ``(B, 1, H, W, D)``.
        filled: 1 where voxels were filled, else 0, same shape.
        restored: the result, 1 = the bright end, same shape.
        before: what it was made of, same shape and unit.

    Returns:
        :data:`FEATURES`, ``(B, 5, H, W, D)``: the change, and the standard deviation of the result among 3 x 3 x 3
        voxels.
    """
    change = (restored - before).abs()
    mean, square = (F.avg_pool3d(part, 3, 1, 1, count_include_pad=False) for part in (restored, restored.square()))
    detail = (square - mean.square()).clamp(min=0).sqrt()
    logs = [torch.log(part + SMALL) for part in (change, detail)]
    return torch.cat([torch.ones_like(log_sd), log_sd, filled.to(log_sd), *logs], dim=1)


class ErrorSpread(nn.Module):
    r"""Correct the logarithm of a standard deviation.

    .. math:: \log\sigma' = \sum_i f_i (w_{i0} + \sum_k l_k w_{ik})

    :math:`f_i` are the features of the voxel, :math:`l_k` the levels of damage and what was undone before. At first
    nothing is changed; the numbers are fitted on validation heads by
    ``python -m scripts.studies.restorer.calibrate``.

    Args:
        kinds: number of levels.

    Attributes:
        numbers: w, shape ``(len(FEATURES), 1 + kinds + len(REPAIRS))``.
        widths: half widths of the intervals of :data:`COVERAGES`, in units of :math:`\sigma'`, shape ``(3,)``: those of
            errors as they are, which are often small and now and then large.
    """

    numbers: Tensor
    widths: Tensor

    def __init__(self, kinds: int) -> None:
        super().__init__()
        numbers = torch.zeros(len(FEATURES), 1 + kinds + len(REPAIRS))
        numbers[FEATURES.index("log sd"), 0] = 1.0
        self.register_buffer("numbers", numbers)
        self.register_buffer("widths", torch.tensor(NORMAL))

    def forward(self, features: Tensor, levels: Tensor, repaired: Sequence[str] = ()) -> Tensor:
        """Correct what a network predicts.

        Args:
            features: of :func:`voxel_features`, ``(B, 5, *spatial)``.
            levels: of each kind of damage, ``(kinds,)``.
            repaired: what was undone before, of :data:`REPAIRS`.

        Returns:
            Logarithm of the standard deviation, ``(B, 1, *spatial)``.
        """
        weights = self.numbers.float() @ known(levels, repaired)
        return torch.einsum("bi...,i->b...", features, weights)[:, None]


def known(levels: Tensor, repaired: Sequence[str]) -> Tensor:
    """What is known of a whole volume, ``(1 + kinds + len(REPAIRS),)``."""
    done = torch.tensor([float(name in repaired) for name in REPAIRS])
    return torch.cat([torch.ones(1), levels.float().cpu(), done]).to(levels.device)
