# SPDX-License-Identifier: Apache-2.0
"""The anatomical criteria as MONAI components: a transform that judges a mask, a metric over many masks."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.metrics import CumulativeIterationMetric
from monai.transforms import MapTransform
from torch import Tensor

from .bounds import AnatomicalCriteria
from .criteria import CRITERIA

__all__ = ["AnatomicalCriteriad", "AnatomicalValidityMetric"]


class AnatomicalCriteriad(MapTransform):
    """Add the measured criteria of a mask, and whether it is a plausible brain.

    Args:
        keys: tissue classes ``(1, H, W)``. For ``pred`` two entries are written: ``pred_criteria``, a dictionary of the
            twelve values, and ``pred_valid``, a bool.
        criteria: criteria with their bounds, or the file that ``python -m scripts tissue criteria learn`` wrote.
        level_key: key of the level of the slice; the level is unknown where it is absent.
        allow_missing_keys: skip a key that is absent.
    """

    def __init__(
        self,
        keys: KeysCollection,
        criteria: AnatomicalCriteria | str | os.PathLike[str],
        level_key: str = "level",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.criteria = criteria if isinstance(criteria, AnatomicalCriteria) else AnatomicalCriteria.load(criteria)
        self.level_key = level_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Judge the masks under ``keys``."""
        d = dict(data)
        level = np.array([float(d.get(self.level_key, np.nan))])
        for key in self.key_iterator(d):
            measures = self.criteria.measure(np.asarray(d[key]))
            d[f"{key}_criteria"] = dict(zip(CRITERIA, measures[0].tolist(), strict=True))
            d[f"{key}_valid"] = bool(self.criteria.passes(measures, level).all())
        return d


class AnatomicalValidityMetric(CumulativeIterationMetric):
    """Share of valid masks, overall and for each criterion.

    Call it with batches of tissue classes ``(B, 1, H, W)`` and, if known, their levels ``(B,)``; ``aggregate()`` gives
    the share of all masks since ``reset()`` that meet every criterion, ``by_criterion()`` the share for each criterion.

    Args:
        criteria: criteria with their bounds.
    """

    def __init__(self, criteria: AnatomicalCriteria) -> None:
        super().__init__()
        self.criteria = criteria

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None, **kwargs: Any) -> Tensor:
        """Whether each criterion is met, ``(B, 12)``; ``y`` are the levels."""
        if y_pred.ndim != 4 or y_pred.shape[1] != 1:
            raise ValueError(f"masks must have the shape (B, 1, H, W), got {tuple(y_pred.shape)}.")
        level = None if y is None else np.asarray(y.cpu(), dtype=np.float64)
        return torch.from_numpy(self.criteria.passes(self.criteria.measure(y_pred[:, 0].cpu().numpy()), level))

    def aggregate(self) -> Tensor:
        """Share of the masks that meet all criteria, a scalar tensor from 0 to 1.

        Raises:
            ValueError: no mask has been judged.
        """
        return self._passed().all(1).double().mean()

    def by_criterion(self) -> dict[str, float]:
        """Share of the masks that meet each criterion.

        Raises:
            ValueError: no mask has been judged.
        """
        return dict(zip(CRITERIA, self._passed().double().mean(0).tolist(), strict=True))

    def _passed(self) -> Tensor:
        passed = self.get_buffer()
        if passed is None:
            raise ValueError("no masks have been judged: call the metric with a batch first.")
        return passed
