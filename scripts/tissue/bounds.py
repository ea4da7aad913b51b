# SPDX-License-Identifier: Apache-2.0
"""Plausible ranges of the anatomical criteria, learned from healthy brains.

:class:`LevelBounds` holds percentiles that vary along the brain; :class:`AnatomicalCriteria` applies them to the
criteria of :mod:`scripts.tissue.criteria`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..files.atomic import write_json
from .criteria import CRITERIA, measure_criteria
from .slices import LEVELS, TissueSlices, level_windows

__all__ = ["AnatomicalCriteria", "LevelBounds"]

TAIL_PERCENT = 0.2
"""Share of healthy slices beyond each of the sixteen learned bounds, all of which together exclude at most 3 %."""

FIXED_UPPER = {"border_contact": 0.0}
"""Bounds that are not learned: a brain that the edge of the image cuts is implausible even where it is common."""


@dataclass(frozen=True)
class LevelBounds:
    """Lower and upper bounds of several quantities, as functions of the slice level.

    Attributes:
        levels: levels at which the bounds are given, ``(G,)``; in between they are interpolated.
        lower: lower bounds ``(G, C)``, ``-inf`` at all levels for a quantity without one.
        upper: upper bounds ``(G, C)``, ``inf`` at all levels for a quantity without one.
    """

    levels: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]

    @classmethod
    def learn(
        cls,
        values: ArrayLike,
        level: ArrayLike,
        has_lower: Sequence[bool],
        has_upper: Sequence[bool],
        tail_percent: float,
        whole_heads: bool = True,
    ) -> LevelBounds:
        """Learn percentiles in a window around each level.

        A percentile is one of the values, rounded outwards: at most ``tail_percent`` of the values in a window are
        outside a bound. A quantity that is undefined in all slices of a window gets the widest bound of all levels.

        Args:
            values: quantities of healthy slices, ``(N, C)``; NaN where one is undefined.
            level: level of each slice, 0 to 1, ``(N,)``.
            has_lower: whether each quantity has a lower bound, ``(C,)``.
            has_upper: whether each quantity has an upper bound, ``(C,)``.
            tail_percent: share of healthy values beyond each bound, 0 to 50.
            whole_heads: see :func:`scripts.tissue.slices.level_windows`.

        Raises:
            ValueError: ``tail_percent`` is out of range, or there is no slice at some level.
        """
        if not 0 <= tail_percent < 50:
            raise ValueError(f"tail_percent must be at least 0 and less than 50, got {tail_percent:g}.")
        table = np.asarray(values, dtype=np.float64)
        windows = [table[rows] for rows in level_windows(level, whole_heads)]
        lower = np.stack([_quantiles(window, tail_percent / 100, "lower") for window in windows])
        upper = np.stack([_quantiles(window, 1 - tail_percent / 100, "higher") for window in windows])
        lower = np.where(has_lower, np.where(np.isnan(lower), np.nanmin(lower, axis=0), lower), -np.inf)
        upper = np.where(has_upper, np.where(np.isnan(upper), np.nanmax(upper, axis=0), upper), np.inf)
        return cls(LEVELS, lower, upper)

    def at(self, level: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Bounds at given levels.

        Args:
            level: levels ``(N,)``; NaN if unknown, for the widest bounds of all levels.

        Returns:
            Lower and upper bounds, both ``(N, C)``.
        """
        levels = np.asarray(level, dtype=np.float64)
        lower = np.stack([self._interpolate(levels, column) for column in self.lower.T], axis=1)
        upper = np.stack([self._interpolate(levels, column) for column in self.upper.T], axis=1)
        unknown = np.isnan(levels)
        lower[unknown], upper[unknown] = self.lower.min(0), self.upper.max(0)
        return lower, upper

    def contain(self, values: ArrayLike, level: ArrayLike) -> NDArray[np.bool_]:
        """Whether values ``(N, C)`` lie within their bounds at levels ``(N,)`` or ``(1,)``; undefined ones (NaN) do."""
        table = np.asarray(values, dtype=np.float64)
        lower, upper = self.at(level)
        return np.isnan(table) | ((table >= lower) & (table <= upper))

    def _interpolate(self, level: NDArray[np.float64], bounds: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.interp(level, self.levels, bounds) if np.isfinite(bounds[0]) else np.full(len(level), bounds[0])


def _quantiles(window: NDArray[np.float64], share: float, method: Literal["lower", "higher"]) -> NDArray[np.float64]:
    """A quantile of the defined values of each column, NaN if there are none, ``(C,)``."""
    defined = [column[np.isfinite(column)] for column in window.T]
    return np.array([np.quantile(column, share, method=method) if len(column) else np.nan for column in defined])


@dataclass(frozen=True)
class AnatomicalCriteria:
    """The criteria with their bounds.

    Attributes:
        bounds: bounds of the criteria, in the order of :data:`scripts.tissue.CRITERIA`.
        spacing_mm: height and width of a pixel. The numbers of holes and pieces depend on it, so the slices that are
            judged must have the same.
        learned_from: numbers of heads and slices, and the percentile.
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
            slices: slices of the training heads.
            tail_percent: share of the slices beyond each bound.
            whole_heads: see :func:`scripts.tissue.slices.level_windows`.

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
        """Criteria ``(N, 14)`` of slices ``(N, H, W)``, see :func:`measure_criteria`."""
        return measure_criteria(classes, self.spacing_mm)

    def passes(self, measures: ArrayLike, level: ArrayLike | None = None) -> NDArray[np.bool_]:
        """Whether each criterion is met.

        Args:
            measures: measured criteria, from :meth:`measure`, ``(N, 14)``.
            level: level of each slice, ``(N,)``, or of all, ``(1,)``. Where it is unknown (None, or NaN), what is
                plausible at any level passes.

        Returns:
            Boolean, ``(N, 14)``.
        """
        return self.bounds.contain(measures, [np.nan] if level is None else level)

    def valid(self, classes: ArrayLike, level: ArrayLike | None = None) -> NDArray[np.bool_]:
        """Whether each of the slices ``(N, H, W)`` meets all criteria, ``(N,)``."""
        return np.all(self.passes(self.measure(classes), level), axis=1)

    def shares(self, slices: TissueSlices) -> dict[str, float]:
        """Shares of the slices of some heads that meet each criterion and all of them.

        Returns:
            By criterion; then ``all``, ``all, worst head`` and ``all, level not given``.
        """
        measures = self.measure(slices.classes)
        passed = self.passes(measures, slices.level)
        return {
            **dict(zip(CRITERIA, passed.mean(0).tolist(), strict=True)),
            "all": float(passed.all(1).mean()),
            "all, worst head": min(float(passed[rows].all(1).mean()) for rows in slices.volumes()),
            "all, level not given": float(self.passes(measures).all(1).mean()),
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the bounds to a JSON file: for each criterion its bounds along the levels."""
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
            ValueError: the file holds something else.
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
                f"{path} holds no bounds of the {len(CRITERIA)} criteria. Learn them with python -m scripts tissue "
                "criteria learn."
            ) from error


def _numbers(bounds: NDArray[np.float64]) -> list[float] | None:
    """Bounds for JSON, which has no infinity: None for a quantity without a bound."""
    return bounds.tolist() if np.isfinite(bounds).all() else None


def _column(bounds: Sequence[float] | None, count: int, otherwise: float) -> NDArray[np.float64]:
    """Inverse of :func:`_numbers`."""
    return np.full(count, otherwise) if bounds is None else np.array(bounds, dtype=np.float64)
