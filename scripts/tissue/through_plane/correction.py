# SPDX-License-Identifier: Apache-2.0
"""Correction of the slices of a mask volume that do not fit their neighbours.

:func:`correct_volume` changes the inconsistent slices only; :func:`correct_sequence` is the published method, which
smooths the codes of all slices.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from numpy.typing import ArrayLike, NDArray

from ..correction import least_change
from ..slices import slice_levels
from .interpolation import fill_slices, interpolate_shapes, smooth_signal
from .thresholds import ConsistencyThresholds

__all__ = ["MaskCoder", "ThroughPlaneConsistencyd", "VolumeCorrection", "correct_sequence", "correct_volume"]

LINE_WEIGHT = 1e-3
"""Weight at which trusted slices hardly change, and the others lie on the straight line between them."""
PASSES = 3
"""Corrected slices that lie side by side are first judged one at a time, and together only in the next pass."""
OTHER_WEIGHT = 50.0
LARGEST_WEIGHT = 128.0
SEARCH_DEPTH = 5
"""The three values of the paper's code (vitalab/vital, ``utils/signal/snake.py``)."""


@dataclass(frozen=True)
class VolumeCorrection:
    """A corrected volume.

    Attributes:
        classes: corrected masks ``(T, H, W)`` uint8; only the ``wrong`` slices differ from the given ones.
        wrong: whether each slice was found inconsistent, ``(T,)``.
        consistent: whether all slices are consistent now.
    """

    classes: NDArray[np.uint8]
    wrong: NDArray[np.bool_]
    consistent: bool


@dataclass(frozen=True)
class _Fit:
    """Judge of replacements for the wrong slices: each has to fit its neighbours, the other wrong slices left out."""

    thresholds: ConsistencyThresholds
    profile: NDArray[np.float64]
    """Attributes with the wrong slices filled in, ``(T, L)``."""
    level: NDArray[np.float64]
    rows: NDArray[np.intp]

    def scores(self, classes: ArrayLike) -> NDArray[np.float64]:
        """Largest score of the head with each replacement in its place, ``(n,)``; one of up to 1 fits."""
        values = self.thresholds.profile(classes, self.level[self.rows])
        result = np.zeros(len(self.rows))
        for number, row in enumerate(self.rows):
            profile = self.profile.copy()
            profile[row] = values[number]
            result[number] = self.thresholds.scores(profile, self.level).max()
        return result

    def valid(self, classes: ArrayLike, level: ArrayLike | None = None) -> NDArray[np.bool_]:
        """See :class:`scripts.tissue.correction.Judge`."""
        return self.scores(classes) <= 1


def correct_volume(
    classes: ArrayLike,
    encode: Callable[[NDArray[np.uint8]], ArrayLike],
    probabilities: Callable[[NDArray[np.float64]], ArrayLike],
    thresholds: ConsistencyThresholds,
    level: ArrayLike | None = None,
) -> VolumeCorrection:
    """Find the slices of a volume that do not fit their neighbours, and correct them.

    The codes of the wrong slices are filled in from those of the others by :func:`scripts.tissue.smooth_signal`, and
    decoded. A coarse latent does not know the folds of this brain, so there are two more candidates: the shapes
    between the neighbours (:func:`scripts.tissue.interpolate_shapes`), and the mean of both. Of each candidate, as
    little is used as makes the slice fit (:func:`scripts.tissue.least_change`); the one with the fewest changed pixels
    is kept.

    ``Differs from the paper:`` there all slices are smoothed and decoded, including consistent ones
    (:func:`scripts.tissue.correct_sequence`).

    Args:
        classes: tissue masks, values of :class:`scripts.tissue.Tissue`, ``(T, H, W)``, from the lowest slice to the
            highest.
        encode: function from masks ``(n, H, W)`` to codes ``(n, K)``.
        probabilities: function from codes ``(n, K)`` to probabilities of the classes ``(n, 4, H, W)``.
        thresholds: thresholds that were learned on the grid of the masks.
        level: level of each slice, ``(T,)``; by default those of a whole brain.

    Returns:
        The corrected volume, and which slices were wrong.
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
        masks[rows] = _smallest_correction(masks[rows], [decoded, interpolate_shapes(masks, wrong)], fit)
        found |= wrong
    return VolumeCorrection(masks, found, thresholds.consistent(thresholds.profile(masks, levels), levels))


def _smallest_correction(given: NDArray[np.uint8], candidates: Sequence[ArrayLike], fit: _Fit) -> NDArray[np.uint8]:
    """Each slice corrected towards the candidate that fits with the fewest changes, or else that fits best."""
    shares = [np.asarray(candidate, dtype=np.float64) for candidate in candidates]
    shares.append(np.mean(shares, axis=0))
    corrected = np.stack([least_change(given, candidate, fit) for candidate in shares])  # (candidates, n, H, W)
    changed = (corrected != given).mean((2, 3))  # a share, so below 1
    scores = np.stack([fit.scores(masks) for masks in corrected])
    return corrected[np.where(scores <= 1, changed, scores).argmin(0), np.arange(len(given))]


def correct_sequence(
    codes: ArrayLike, dims: Collection[int], consistent: Callable[[NDArray[np.float64]], bool]
) -> NDArray[np.float64]:
    """Smooth the dimensions of the attributes with the smallest weight at which the slices are consistent.

    The weight is found by five bisections of the interval from 0 to 128. The other dimensions are smoothed with a
    weight of 50. See :func:`scripts.tissue.smooth_signal`.

    ``Differs from the paper:`` there each attribute has its own weight; here the attributes are judged together.

    Args:
        codes: codes of the slices of a volume in order, ``(T, K)``.
        dims: indices of the dimensions that stand for attributes.
        consistent: function that judges codes ``(T, K)``.

    Returns:
        The smoothed codes, ``(T, K)``, with the largest weight if no weight is enough.
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


class MaskCoder(Protocol):
    """Autoencoder of masks as functions of arrays."""

    def encode(self, images: NDArray) -> ArrayLike:
        """Codes ``(n, K)`` of masks ``(n, H, W)``."""

    def probabilities(self, codes: NDArray[np.float64]) -> ArrayLike:
        """Probabilities of the classes ``(n, 4, H, W)`` of codes ``(n, K)``."""


class ThroughPlaneConsistencyd(MapTransform):
    """Replace the slices of a mask volume that do not fit their neighbours: :func:`correct_volume`.

    Args:
        keys: tissue classes ``(1, H, W, D)`` of a whole brain, axial slices from the lowest to the highest on the grid
            of the model, as :func:`scripts.tissue.slices.tissue_transforms` makes them. For ``pred`` two
            entries are added: ``pred_inconsistent``, the indices of the slices that were replaced, and
            ``pred_consistent``, whether all slices are consistent now.
        model: autoencoder of masks, such as :class:`scripts.latent.MaskModel`.
        thresholds: thresholds, or the file that ``python -m scripts tissue consistency learn`` wrote.
        allow_missing_keys: skip a key that is absent.
    """

    def __init__(
        self,
        keys: KeysCollection,
        model: MaskCoder,
        thresholds: ConsistencyThresholds | str | os.PathLike[str],
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.model = model
        self.thresholds = (
            thresholds if isinstance(thresholds, ConsistencyThresholds) else ConsistencyThresholds.load(thresholds)
        )

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Correct the volumes under ``keys``."""
        d = dict(data)
        for key in self.key_iterator(d):
            slices = np.ascontiguousarray(np.asarray(d[key])[0].transpose(2, 0, 1).astype(np.uint8))
            result = correct_volume(slices, self.model.encode, self.model.probabilities, self.thresholds)
            volume = torch.as_tensor(d[key]).clone()
            volume[0] = torch.from_numpy(result.classes.transpose(1, 2, 0).copy()).to(volume)
            d[key] = volume
            d[f"{key}_inconsistent"] = np.flatnonzero(result.wrong).tolist()
            d[f"{key}_consistent"] = result.consistent
        return d
