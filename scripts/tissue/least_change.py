# SPDX-License-Identifier: Apache-2.0
"""Take from a decoded mask only what makes the given one plausible."""

from __future__ import annotations

import itertools
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from .shape import slice_components

__all__ = ["Judge", "least_change"]

SIGMAS = (0.0, 1.0)
"""Standard deviations in pixels over which the margin is averaged: for scattered pixels and for larger damage."""
SEARCH_STEPS = 8


class Judge(Protocol):
    """What says whether masks are valid, such as :class:`scripts.tissue.AnatomicalCriteria`."""

    def valid(self, classes: ArrayLike, level: ArrayLike | None = None) -> NDArray[np.bool_]:
        """Which masks ``(N, H, W)`` at levels ``(N,)`` are valid, ``(N,)``."""


def least_change(
    masks: ArrayLike, probabilities: ArrayLike, criteria: Judge, level: ArrayLike | None = None
) -> NDArray[np.uint8]:
    """Change as few pixels of implausible masks as possible, towards plausible decoded ones.

    A decoded mask is plausible but coarse: an autoencoder with few dimensions does not know the sulci of this brain.
    Where the two masks differ, the margin is how much more probable the decoder finds its own class than the given one;
    where the damage is, it is large. Pixels with a margin above a threshold take the decoded class, and with them all
    that are connected to them through margins above half of it: damage is repaired as a whole, not just until a
    criterion holds. The highest threshold that gives a plausible mask is searched by halving. This is done with the
    margin of each pixel and with that of its neighbourhood (a Gaussian of one pixel), for all pixels and for those only
    that one of the two masks calls brain and the other background; the result that changes the fewest is taken.

    Not part of the paper, where the decoded mask is the answer.

    Args:
        masks: implausible, values of :class:`scripts.tissue.Tissue`, ``(N, H, W)``.
        probabilities: of the classes, ``(N, 4, H, W)``, decoded from the codes of
            :func:`scripts.tissue.correct_masks`, so that the most probable classes are a plausible mask.
        criteria: what is plausible.
        level: of the slices, ``(N,)``; NaN, or None, where it is not known.

    Returns:
        Plausible masks, ``(N, H, W)``: at worst the decoded ones.
    """
    given, shares = np.asarray(masks, dtype=np.uint8), np.asarray(probabilities, dtype=np.float64)
    levels = np.full(len(given), np.nan) if level is None else np.asarray(level, dtype=np.float64)
    decoded = shares.argmax(1).astype(np.uint8)
    margin = shares.max(1) - np.take_along_axis(shares, given[:, None].astype(np.intp), axis=1)[:, 0]
    best = decoded.copy()
    for differs, sigma in itertools.product((decoded != given, (decoded > 0) != (given > 0)), SIGMAS):
        weight = ndimage.gaussian_filter(margin * differs, (0, sigma, sigma)) * differs
        low, high = np.zeros(len(given)), weight.max((1, 2), initial=0.0)
        for _ in range(SEARCH_STEPS):
            middle = (low + high) / 2
            mixed = np.where(_grown(weight, middle[:, None, None]), decoded, given)
            good = criteria.valid(mixed, levels)
            low, high = np.where(good, middle, low), np.where(good, high, middle)
            better = good & ((mixed != given).sum((1, 2)) < (best != given).sum((1, 2)))
            best[better] = mixed[better]
    return best


def _grown(weight: NDArray[np.float64], threshold: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where the weight is above the threshold, or above half of it and connected to where it is, ``(N, H, W)``."""
    pieces = slice_components(weight > threshold / 2, diagonal=True)
    seeded = np.zeros(len(pieces.sizes) + 1, dtype=bool)
    seeded[pieces.labels[weight > threshold]] = True
    return seeded[pieces.labels]
