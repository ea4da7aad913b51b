# SPDX-License-Identifier: Apache-2.0
"""Replace the slices of a mask volume that do not fit their neighbours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..attributes.levels import slice_levels
from ..plausibility.least_change import least_change
from .consistency_thresholds import ConsistencyThresholds
from .fill_slices import fill_slices
from .smoothing import smooth_signal

__all__ = ["VolumeCorrection", "correct_volume"]

LINE_WEIGHT = 1e-3
"""Small enough that slices which are trusted stay as they are and the others lie on the line between them."""


@dataclass(frozen=True)
class VolumeCorrection:
    """A corrected volume.

    Attributes:
        classes: ``(T, H, W)`` uint8; only slices that were ``wrong`` differ from the given ones.
        wrong: slices that were found, ``(T,)``.
        consistent: nothing is inconsistent any more.
    """

    classes: NDArray[np.uint8]
    wrong: NDArray[np.bool_]
    consistent: bool


@dataclass(frozen=True)
class _Fit:
    """Whether what is put in the place of each wrong slice fits its neighbours, the other wrong slices left out."""

    thresholds: ConsistencyThresholds
    profile: NDArray[np.float64]
    """With the wrong slices filled in, ``(T, L)``."""
    level: NDArray[np.float64]
    rows: NDArray[np.intp]

    def valid(self, classes: ArrayLike, level: ArrayLike | None = None) -> NDArray[np.bool_]:
        values = self.thresholds.profile(classes, self.level[self.rows])
        result = np.zeros(len(self.rows), dtype=bool)
        for number, row in enumerate(self.rows):
            profile = self.profile.copy()
            profile[row] = values[number]
            result[number] = self.thresholds.consistent(profile, self.level)
        return result


def correct_volume(
    classes: ArrayLike,
    encode: Callable[[NDArray[np.uint8]], ArrayLike],
    probabilities: Callable[[NDArray[np.float64]], ArrayLike],
    thresholds: ConsistencyThresholds,
    level: ArrayLike | None = None,
) -> VolumeCorrection:
    """Find the slices of a volume that do not fit their neighbours, and change them so that they do.

    The codes of the wrong slices are filled in from those of the others by :func:`scripts.consistency.smooth_signal`,
    and decoded. Of these masks as little as makes a slice fit is taken over
    (:func:`scripts.plausibility.least_change`).

    ``Differs from the paper:`` there all slices are smoothed and decoded, also those that were right
    (:func:`scripts.consistency.correct_sequence`).

    Args:
        classes: values of :class:`scripts.attributes.Tissue`, ``(T, H, W)``, from the lowest slice to the highest.
        encode: from masks ``(n, H, W)`` to codes ``(n, K)``.
        probabilities: from codes ``(n, K)`` to those of the classes, ``(n, 4, H, W)``.
        thresholds: on the grid of the masks.
        level: ``(T,)``; by default those of a whole brain.

    Returns:
        The volume, with what was found.
    """
    masks = np.array(classes, dtype=np.uint8)
    levels = slice_levels(len(masks)) if level is None else np.asarray(level, dtype=np.float64)
    profile = thresholds.profile(masks, levels)
    wrong = thresholds.find(profile, levels)
    rows = np.flatnonzero(wrong)
    if not len(rows):
        return VolumeCorrection(masks, wrong, consistent=True)
    codes = smooth_signal(encode(masks), LINE_WEIGHT, ~wrong)
    fit = _Fit(thresholds, fill_slices(profile, wrong), levels, rows)
    masks[rows] = least_change(masks[rows], probabilities(codes[rows]), fit)
    profile[rows] = thresholds.profile(masks[rows], levels[rows])
    return VolumeCorrection(masks, wrong, thresholds.consistent(profile, levels))
