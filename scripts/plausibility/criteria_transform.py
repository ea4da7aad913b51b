# SPDX-License-Identifier: Apache-2.0
"""Judge the mask of a dictionary."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform

from .anatomical_criteria import AnatomicalCriteria
from .criteria import CRITERIA

__all__ = ["AnatomicalCriteriad"]


class AnatomicalCriteriad(MapTransform):
    """Add the measured criteria of a mask, and whether it is a plausible brain.

    Args:
        keys: tissue classes ``(1, H, W)``. For ``pred`` two entries are written: ``pred_criteria``, a dictionary of the
            twelve numbers, and ``pred_valid``, a bool.
        criteria: with their bounds, or the file that ``python -m scripts.plausibility learn`` wrote.
        level_key: where the level of the slice is, if it is known.
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
