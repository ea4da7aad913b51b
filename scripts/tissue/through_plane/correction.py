# SPDX-License-Identifier: Apache-2.0
"""Replace the slices of a mask volume that do not fit their neighbours.

FOLDED: Smooth the codes of a volume's slices just enough to be consistent: the published way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..least_change import least_change
from ..slices import slice_levels
from .interpolation import fill_slices, interpolate_shapes, smooth_signal
from .thresholds import ConsistencyThresholds

__all__ = ["VolumeCorrection", "correct_sequence", "correct_volume"]

LINE_WEIGHT = 1e-3
"""Small enough that slices which are trusted stay as they are and the others lie on the line between them."""
PASSES = 3
"""Corrected slices that lie side by side are judged one at a time first, and only then together."""


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

    def scores(self, classes: ArrayLike) -> NDArray[np.float64]:
        """The largest score of its head with each slice in its place, ``(n,)``; up to 1 it fits."""
        values = self.thresholds.profile(classes, self.level[self.rows])
        result = np.zeros(len(self.rows))
        for number, row in enumerate(self.rows):
            profile = self.profile.copy()
            profile[row] = values[number]
            result[number] = self.thresholds.scores(profile, self.level).max()
        return result

    def valid(self, classes: ArrayLike, level: ArrayLike | None = None) -> NDArray[np.bool_]:
        """See :class:`scripts.tissue.least_change.Judge`."""
        return self.scores(classes) <= 1


def correct_volume(
    classes: ArrayLike,
    encode: Callable[[NDArray[np.uint8]], ArrayLike],
    probabilities: Callable[[NDArray[np.float64]], ArrayLike],
    thresholds: ConsistencyThresholds,
    level: ArrayLike | None = None,
) -> VolumeCorrection:
    """Find the slices of a volume that do not fit their neighbours, and change them so that they do.

    The codes of the wrong slices are filled in from those of the others by :func:`scripts.tissue.smooth_signal`,
    and decoded. A coarse latent does not know the folds of this brain, so there are two more suggestions: the shapes
    between the neighbours (:func:`scripts.tissue.interpolate_shapes`), and the mean of both. Of each as little as
    makes the slice fit is taken over (:func:`scripts.tissue.least_change`); what changes the fewest pixels is the
    answer.

    ``Differs from the paper:`` there all slices are smoothed and decoded, also those that were right
    (:func:`scripts.tissue.correct_sequence`).

    Args:
        classes: values of :class:`scripts.tissue.Tissue`, ``(T, H, W)``, from the lowest slice to the highest.
        encode: from masks ``(n, H, W)`` to codes ``(n, K)``.
        probabilities: from codes ``(n, K)`` to those of the classes, ``(n, 4, H, W)``.
        thresholds: on the grid of the masks.
        level: ``(T,)``; by default those of a whole brain.

    Returns:
        The volume, with what was found.
    """
    masks = np.array(classes, dtype=np.uint8)
    levels = slice_levels(len(masks)) if level is None else np.asarray(level, dtype=np.float64)
    found = np.zeros(len(masks), dtype=bool)
    for _ in range(PASSES):
        profile = thresholds.profile(masks, levels)
        wrong = thresholds.find(profile, levels)
        if not wrong.any():
            break
        rows = np.flatnonzero(wrong)
        decoded = probabilities(np.asarray(smooth_signal(encode(masks), LINE_WEIGHT, ~wrong))[rows])
        fit = _Fit(thresholds, fill_slices(profile, wrong), levels, rows)
        masks[rows] = _least_of(masks[rows], [decoded, interpolate_shapes(masks, wrong)], fit)
        found |= wrong
    return VolumeCorrection(masks, found, thresholds.consistent(thresholds.profile(masks, levels), levels))


def _least_of(given: NDArray[np.uint8], donors: Sequence[ArrayLike], fit: _Fit) -> NDArray[np.uint8]:
    """Of what the donors make of each slice, that which fits with the fewest changes, or else what fits best."""
    shares = [np.asarray(donor, dtype=np.float64) for donor in donors]
    shares.append(np.mean(shares, axis=0))
    made = np.stack([least_change(given, donor, fit) for donor in shares])  # (D, n, H, W)
    changed = (made != given).mean((2, 3))  # a share, so below 1
    scores = np.stack([fit.scores(masks) for masks in made])
    return made[np.where(scores <= 1, changed, scores).argmin(0), np.arange(len(given))]


OTHER_WEIGHT = 50.0
LARGEST_WEIGHT = 128.0
SEARCH_DEPTH = 5
"""The three values of the paper's code (vitalab/vital, ``utils/signal/snake.py``)."""


def correct_sequence(
    codes: ArrayLike, dims: Collection[int], consistent: Callable[[NDArray[np.float64]], bool]
) -> NDArray[np.float64]:
    """Smooth the attributes' dimensions with the smallest weight for which the slices are consistent.

    The weight is searched by five halvings of the interval from 0 to 128. The other dimensions are smoothed with a
    weight of 50. See :func:`scripts.tissue.smooth_signal`.

    ``Differs from the paper:`` there each attribute has a weight of its own; here attributes are judged together.

    Args:
        codes: of the slices of a volume in order, ``(T, K)``.
        dims: the dimensions that stand for attributes.
        consistent: whether codes ``(T, K)`` are.

    Returns:
        The smoothed codes, ``(T, K)``; with the largest weight where even that is not enough.
    """
    start = np.asarray(codes, dtype=np.float64)
    of_attribute = np.isin(np.arange(start.shape[1]), list(dims))
    low, high = 0.0, LARGEST_WEIGHT

    def smoothed(weight: float) -> NDArray[np.float64]:
        return smooth_signal(start, np.where(of_attribute, weight, OTHER_WEIGHT))

    for _ in range(SEARCH_DEPTH):
        middle = (low + high) / 2
        low, high = (low, middle) if consistent(smoothed(middle)) else (middle, high)
    return smoothed(high)
