# SPDX-License-Identifier: Apache-2.0
"""Criteria with bounds learned from healthy brains: which tissue masks are plausible."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..attributes.tissue_slices import TissueSlices
from ..data.cohort import write_json
from .criteria import CRITERIA, measure_criteria
from .level_bounds import LevelBounds

__all__ = ["AnatomicalCriteria"]

TAIL_PERCENT = 0.2
"""Beyond each of the fourteen learned bounds: all together leave at least 97 % of the slices they were learned from."""

FIXED_UPPER = {"border_contact": 0.0}
"""A brain that is cut by the edge of the image is no property of brains."""


@dataclass(frozen=True)
class AnatomicalCriteria:
    """The twelve criteria with their bounds.

    Attributes:
        bounds: of the criteria, in the order of :data:`scripts.plausibility.CRITERIA`.
        spacing_mm: height and width of a pixel of the slices that the bounds hold for. Numbers of holes and of pieces
            depend on it, so it has to be that of the slices that are judged.
        learned_from: number of heads and slices, and the percentile.
    """

    bounds: LevelBounds
    spacing_mm: tuple[float, float]
    learned_from: dict[str, float]

    @classmethod
    def learn(
        cls, slices: TissueSlices, tail_percent: float = TAIL_PERCENT, whole_heads: bool = True
    ) -> AnatomicalCriteria:
        """Learn the bounds from the slices of healthy heads, as percentiles at each level.

        Args:
            slices: of the training heads.
            tail_percent: share of the slices beyond each bound.
            whole_heads: see :func:`scripts.attributes.levels.level_windows`.

        Raises:
            ValueError: see :meth:`LevelBounds.learn`.

        References:
            Painchaud et al., Cardiac segmentation with strong anatomical guarantees, IEEE Trans. Medical Imaging
            39(11), 2020 (doi:10.1109/TMI.2020.3003240): criteria with thresholds from ground truths.
        """
        measures = measure_criteria(slices.classes, slices.spacing_mm)
        has_lower = [criterion.lower for criterion in CRITERIA.values()]
        has_upper = [criterion.upper for criterion in CRITERIA.values()]
        bounds = LevelBounds.learn(measures, slices.level, has_lower, has_upper, tail_percent, whole_heads)
        upper = bounds.upper.copy()
        for name, value in FIXED_UPPER.items():
            upper[:, list(CRITERIA).index(name)] = value
        source = {"heads": len(slices.volumes()), "slices": len(slices), "tail_percent": tail_percent}
        return cls(replace(bounds, upper=upper), slices.spacing_mm, source)

    def measure(self, classes: ArrayLike) -> NDArray[np.float64]:
        """The criteria of slices ``(N, H, W)``, ``(N, 12)``; see :func:`measure_criteria`."""
        return measure_criteria(classes, self.spacing_mm)

    def passes(self, measures: ArrayLike, level: ArrayLike | None = None) -> NDArray[np.bool_]:
        """Which criteria hold.

        Args:
            measures: of :meth:`measure`, ``(N, 12)``.
            level: of the slices, ``(N,)``, or one for all, ``(1,)``; where it is not known (None, or NaN), what is
                plausible at any level passes.

        Returns:
            ``(N, 12)``.
        """
        return self.bounds.contain(measures, [np.nan] if level is None else level)

    def valid(self, classes: ArrayLike, level: ArrayLike | None = None) -> NDArray[np.bool_]:
        """Which slices ``(N, H, W)`` meet all criteria, ``(N,)``."""
        return np.all(self.passes(self.measure(classes), level), axis=1)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the bounds to a JSON file, readable by eye: for each criterion its bounds along the levels."""
        content: dict[str, Any] = {
            "spacing_mm": self.spacing_mm,
            "learned_from": self.learned_from,
            "levels": self.bounds.levels.tolist(),
            "criteria": {
                name: {
                    "meaning": criterion.meaning,
                    "lower": _numbers(self.bounds.lower[:, column]),
                    "upper": _numbers(self.bounds.upper[:, column]),
                }
                for column, (name, criterion) in enumerate(CRITERIA.items())
            },
        }
        write_json(Path(path), content)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> AnatomicalCriteria:
        """Read what :meth:`save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is no such file.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            if list(content["criteria"]) != list(CRITERIA):
                raise KeyError("criteria")
            columns = content["criteria"].values()
            levels = np.array(content["levels"])
            lower = np.stack([_column(column["lower"], len(levels), -np.inf) for column in columns], axis=1)
            upper = np.stack([_column(column["upper"], len(levels), np.inf) for column in columns], axis=1)
            bounds = LevelBounds(levels, lower, upper)
            height, width = content["spacing_mm"]
            return cls(bounds, (height, width), content["learned_from"])
        except FileNotFoundError:
            raise
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path} holds no bounds of the {len(CRITERIA)} criteria. Write it with python -m scripts.plausibility."
            ) from error


def _numbers(bounds: NDArray[np.float64]) -> list[float] | None:
    """Bounds for JSON, which knows no infinity: None where a number has no bound."""
    return bounds.tolist() if np.isfinite(bounds).all() else None


def _column(bounds: Sequence[float] | None, count: int, otherwise: float) -> NDArray[np.float64]:
    """Inverse of :func:`_numbers`."""
    return np.full(count, otherwise) if bounds is None else np.array(bounds, dtype=np.float64)
