# SPDX-License-Identifier: Apache-2.0
"""Bounds of a number, learned from healthy slices, which change along the brain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..attributes.levels import LEVELS, level_windows

__all__ = ["LevelBounds"]


@dataclass(frozen=True)
class LevelBounds:
    """Lower and upper bounds of several numbers, as functions of the slice level.

    Attributes:
        levels: where the bounds are given; between two levels they are interpolated, ``(G,)``.
        lower: ``(G, C)``; a number without a lower bound has ``-inf`` at all levels.
        upper: ``(G, C)``; a number without an upper bound has ``inf`` at all levels.
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

        A percentile is one of the values, the next one outwards: at most ``tail_percent`` of the values in a window are
        outside a bound. Where a number is defined in no slice of a window, all levels' widest bound holds.

        Args:
            values: ``(N, C)``; NaN where a number is not defined.
            level: 0 to 1, ``(N,)``.
            has_lower: which of the numbers have a lower bound, ``(C,)``.
            has_upper: which of the numbers have an upper bound, ``(C,)``.
            tail_percent: share of healthy values beyond each bound, 0 to 50.
            whole_heads: see :func:`scripts.attributes.levels.level_windows`.

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
            level: ``(N,)``; NaN where it is unknown: the widest bounds of all levels.

        Returns:
            Lower and upper bounds, both ``(N, C)``.
        """
        where = np.asarray(level, dtype=np.float64)
        lower = np.stack([self._interpolate(where, column) for column in self.lower.T], axis=1)
        upper = np.stack([self._interpolate(where, column) for column in self.upper.T], axis=1)
        unknown = np.isnan(where)
        lower[unknown], upper[unknown] = self.lower.min(0), self.upper.max(0)
        return lower, upper

    def contain(self, values: ArrayLike, level: ArrayLike) -> NDArray[np.bool_]:
        """Which values ``(N, C)`` lie within their bounds at levels ``(N,)`` or ``(1,)``; undefined ones (NaN) do."""
        table = np.asarray(values, dtype=np.float64)
        lower, upper = self.at(level)
        return np.isnan(table) | ((table >= lower) & (table <= upper))

    def _interpolate(self, level: NDArray[np.float64], bounds: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.interp(level, self.levels, bounds) if np.isfinite(bounds[0]) else np.full(len(level), bounds[0])


def _quantiles(window: NDArray[np.float64], share: float, method: Literal["lower", "higher"]) -> NDArray[np.float64]:
    """A quantile of the defined values of each column, NaN where there are none, ``(C,)``."""
    defined = [column[np.isfinite(column)] for column in window.T]
    return np.array([np.quantile(column, share, method=method) if len(column) else np.nan for column in defined])
