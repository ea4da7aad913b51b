# SPDX-License-Identifier: Apache-2.0
"""Share of masks that are plausible brains."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from monai.metrics import CumulativeIterationMetric
from torch import Tensor

from .anatomical_criteria import AnatomicalCriteria
from .criteria import CRITERIA

__all__ = ["AnatomicalValidityMetric"]


class AnatomicalValidityMetric(CumulativeIterationMetric):
    """Share of valid masks, in all and for each criterion.

    Call it with batches of tissue classes ``(B, 1, H, W)`` and, if known, their levels ``(B,)``; ``aggregate()`` gives
    the share of all masks seen since ``reset()`` that meet every criterion, ``by_criterion()`` that of each one.

    Args:
        criteria: with their bounds.
    """

    def __init__(self, criteria: AnatomicalCriteria) -> None:
        super().__init__()
        self.criteria = criteria

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None, **kwargs: Any) -> Tensor:
        """Which criteria hold, ``(B, 12)``; ``y`` are the levels."""
        if y_pred.ndim != 4 or y_pred.shape[1] != 1:
            raise ValueError(f"masks must have the shape (B, 1, H, W), got {tuple(y_pred.shape)}.")
        level = None if y is None else np.asarray(y.cpu(), dtype=np.float64)
        return torch.from_numpy(self.criteria.passes(self.criteria.measure(y_pred[:, 0].cpu().numpy()), level))

    def aggregate(self) -> Tensor:
        """Share of the masks that meet all criteria, a scalar tensor from 0 to 1.

        Raises:
            ValueError: no mask has been seen.
        """
        return self._passed().all(1).double().mean()

    def by_criterion(self) -> dict[str, float]:
        """Share of the masks that meet each criterion.

        Raises:
            ValueError: no mask has been seen.
        """
        return dict(zip(CRITERIA, self._passed().double().mean(0).tolist(), strict=True))

    def _passed(self) -> Tensor:
        passed = self.get_buffer()
        if passed is None:
            raise ValueError("no masks have been judged: call the metric with a batch first.")
        return passed
