# SPDX-License-Identifier: Apache-2.0
"""Standard deviations of errors that hold what they promise: corrected by what was found out about the volume."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["COVERAGES", "REPAIRS", "ErrorSpread"]

REPAIRS = ("erased voxels", "ghosts", "spikes", "blur", "uneven brightness", "noise")
"""What is undone before a network sees the volume, so that it does not see the errors."""
COVERAGES = (0.5, 0.9, 0.99)
"""Shares of the true values that intervals are to hold."""
NORMAL = (0.6745, 1.6449, 2.5758)
"""Half widths of these intervals for normally distributed errors of standard deviation 1."""


class ErrorSpread(nn.Module):
    r"""Correct the logarithm of a standard deviation.

    .. math:: \log\sigma' = a + b\log\sigma + c f + \sum_k l_k u_k + \sum_r d_r v_r

    f tells whether the voxel was filled, :math:`l_k` are the levels of damage, :math:`d_r` tells what was undone
    before. At first nothing is changed; the numbers are fitted on validation heads by
    ``python -m scripts.studies.restorer.calibrate``.

    Args:
        kinds: number of levels.

    Attributes:
        numbers: a, b, c, u and v, shape ``(3 + kinds + len(REPAIRS),)``.
        widths: half widths of the intervals of :data:`COVERAGES`, in units of :math:`\sigma'`, shape ``(3,)``: those of
            errors as they are, which are often small and now and then large.
    """

    numbers: Tensor
    widths: Tensor

    def __init__(self, kinds: int) -> None:
        super().__init__()
        numbers = torch.zeros(3 + kinds + len(REPAIRS))
        numbers[1] = 1.0
        self.register_buffer("numbers", numbers)
        self.register_buffer("widths", torch.tensor(NORMAL))

    def forward(self, log_sd: Tensor, filled: Tensor, levels: Tensor, repaired: Sequence[str] = ()) -> Tensor:
        """Correct what a network predicts.

        Args:
            log_sd: logarithm of the standard deviation, any shape.
            filled: 1 where voxels were filled, else 0, same shape.
            levels: of each kind of damage, ``(kinds,)``.
            repaired: what was undone before, of :data:`REPAIRS`.
        """
        done = torch.tensor([float(name in repaired) for name in REPAIRS]).to(levels)
        shift = self.numbers[0] + (torch.cat([levels, done]) * self.numbers[3:]).sum()
        return shift + self.numbers[1] * log_sd + self.numbers[2] * filled
