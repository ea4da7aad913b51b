# SPDX-License-Identifier: Apache-2.0
"""Correction of implausible masks, towards the nearest plausible mask of a latent space.

:func:`correct_masks` replaces a mask by that one; :func:`least_change` takes over only as much of it as is needed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from .bounds import AnatomicalCriteria
from .shape import slice_components

__all__ = ["Correction", "Judge", "ValidBank", "correct_masks", "least_change"]

BATCH = 256
SEARCH_STEPS = 10
"""Bisections of the segment: the result is within a thousandth of its length of the first plausible point."""
SIGMAS = (0.0, 1.0)
"""Standard deviations in pixels over which the margin is averaged: for scattered pixels and for larger damage."""
THRESHOLD_STEPS = 8
"""Bisections of the threshold of the margin."""


class ValidBank:
    """A bank of codes, such as those of the training masks, to search for the nearest plausible one.

    Which codes are plausible depends on the level of the slice. The criteria of the decoded masks are measured once and
    compared with the bounds at that level.

    Args:
        codes: codes of the bank, ``(M, K)``.
        decode: function from codes ``(n, K)`` to masks ``(n, H, W)``.
        criteria: criteria of a plausible mask.

    Raises:
        ValueError: ``codes`` is empty or not two-dimensional.
    """

    def __init__(
        self, codes: ArrayLike, decode: Callable[[NDArray[np.float64]], ArrayLike], criteria: AnatomicalCriteria
    ) -> None:
        self.codes = np.asarray(codes, dtype=np.float64)
        if self.codes.ndim != 2 or not len(self.codes):
            raise ValueError(f"codes must have the shape (M, K) with M > 0, got {self.codes.shape}.")
        self.criteria = criteria
        batches = [self.codes[start : start + BATCH] for start in range(0, len(self.codes), BATCH)]
        self.measures = np.concatenate([criteria.measure(decode(batch)) for batch in batches])  # (M, 14)

    def nearest(self, codes: ArrayLike, level: ArrayLike) -> NDArray[np.int64]:
        """For each code the nearest one of the bank that is plausible at its level.

        Args:
            codes: codes ``(N, K)``.
            level: level of each code, 0 to 1, ``(N,)``; NaN if unknown.

        Returns:
            Indices into the bank, ``(N,)``; -1 where no code is plausible at the level.
        """
        found = np.full(len(np.asarray(codes)), -1)
        for row, (code, at) in enumerate(zip(np.asarray(codes), np.asarray(level), strict=True)):
            plausible = self.criteria.passes(self.measures, [at]).all(1)
            if plausible.any():
                candidates = np.flatnonzero(plausible)
                found[row] = candidates[np.linalg.norm(self.codes[candidates] - code, axis=1).argmin()]
        return found


@dataclass(frozen=True)
class Correction:
    """Corrected masks, and how they were corrected.

    Attributes:
        masks: masks ``(N, H, W)`` uint8, plausible where ``valid``.
        was_valid: whether each mask was plausible before, ``(N,)``; such masks are unchanged.
        valid: whether each mask is plausible now, ``(N,)``. False only where the bank has no code that is plausible at
            the level of the slice; such masks are unchanged too.
        codes: codes of the corrected masks, ``(N, K)``; NaN for unchanged masks.
        distance: Euclidean distance from the code of the given mask to that of the corrected one, ``(N,)``; 0 for masks
            that were plausible, or whose own code decodes to a plausible mask.
        nearest: index of the nearest plausible code of the bank, ``(N,)``; -1 if none was needed or found.
        decodings: number of codes that were decoded for each mask, ``(N,)``.
    """

    masks: NDArray[np.uint8]
    was_valid: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    codes: NDArray[np.float64]
    distance: NDArray[np.float64]
    nearest: NDArray[np.int64]
    decodings: NDArray[np.int64]


def correct_masks(
    masks: ArrayLike,
    encode: Callable[[NDArray[np.uint8]], ArrayLike],
    decode: Callable[[NDArray[np.float64]], ArrayLike],
    criteria: AnatomicalCriteria,
    bank: ValidBank,
    level: ArrayLike | None = None,
    steps: int = SEARCH_STEPS,
) -> Correction:
    r"""Correct the implausible masks of a batch.

    An implausible mask is encoded as :math:`\tilde z`. If that code decodes to a plausible mask, this is the result.
    Otherwise let :math:`z^*` be the nearest code of the bank that is plausible at the level of the slice. Bisection
    finds the smallest :math:`t` for which :math:`\tilde z + t (z^* - \tilde z)` decodes to a plausible mask. The upper
    end of the interval is always plausible, and so is the result, even if plausibility changes more than once along the
    segment.

    Args:
        masks: tissue masks, values of :class:`scripts.tissue.Tissue`, ``(N, H, W)``.
        encode: function from masks ``(n, H, W)`` to codes ``(n, K)``.
        decode: function from codes ``(n, K)`` to masks ``(n, H, W)``.
        criteria: criteria of a plausible mask.
        bank: codes to move towards, with the same ``decode`` and ``criteria``.
        level: level of each slice, 0 to 1, ``(N,)``; NaN, or None, if unknown.
        steps: number of bisections.

    Returns:
        Plausible masks, the nearest to the given ones on that segment of the latent space. They have the detail of the
        decoder; :func:`scripts.tissue.least_change` keeps that of the given masks.

    References:
        Painchaud et al., Cardiac segmentation with strong anatomical guarantees, IEEE Trans. Medical Imaging 39(11),
        2020 (doi:10.1109/TMI.2020.3003240).
    """
    result = np.array(masks, dtype=np.uint8)
    levels = np.full(len(result), np.nan) if level is None else np.asarray(level, dtype=np.float64)
    was_valid = criteria.valid(result, levels)
    valid, distance = was_valid.copy(), np.zeros(len(result))
    nearest, decodings = np.full(len(result), -1), np.zeros(len(result), dtype=np.int64)
    accepted = np.full((len(result), bank.codes.shape[1]), np.nan)

    def accept(rows: NDArray[np.intp], codes: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Decode codes for these masks, keep the plausible ones, and return which they are."""
        decoded = np.asarray(decode(codes), dtype=np.uint8)
        plausible = criteria.valid(decoded, levels[rows])
        result[rows[plausible]], accepted[rows[plausible]] = decoded[plausible], codes[plausible]
        valid[rows[plausible]] = True
        decodings[rows] += 1
        return plausible

    rows = np.flatnonzero(~was_valid)
    if len(rows):
        codes = np.asarray(encode(result[rows]), dtype=np.float64)
        remaining = ~accept(rows, codes)
        rows, codes = rows[remaining], codes[remaining]
        nearest[rows] = bank.nearest(codes, levels[rows])
        found = nearest[rows] >= 0
        rows, codes = rows[found], codes[found]
    if len(rows):
        moves = bank.codes[nearest[rows]] - codes
        low, high = np.zeros(len(rows)), np.ones(len(rows))
        accept(rows, codes + moves)
        for _ in range(steps):
            middle = (low + high) / 2
            plausible = accept(rows, codes + middle[:, None] * moves)
            low, high = np.where(plausible, low, middle), np.where(plausible, middle, high)
        distance[rows] = high * np.linalg.norm(moves, axis=1)
    return Correction(result, was_valid, valid, accepted, distance, nearest, decodings)


class Judge(Protocol):
    """Anything that judges masks, such as :class:`scripts.tissue.AnatomicalCriteria`."""

    def valid(self, classes: ArrayLike, level: ArrayLike | None = None) -> NDArray[np.bool_]:
        """Whether masks ``(N, H, W)`` at levels ``(N,)`` are valid, ``(N,)``."""


def least_change(
    masks: ArrayLike, probabilities: ArrayLike, criteria: Judge, level: ArrayLike | None = None
) -> NDArray[np.uint8]:
    """Change as few pixels of implausible masks as possible, towards plausible decoded ones.

    A decoded mask is plausible but coarse: an autoencoder with few dimensions does not know the sulci of this brain.
    Where the two masks differ, the margin is the probability of the decoded class minus that of the given one; it is
    large where the mask is damaged. Pixels are replaced by hysteresis thresholding: those with a margin above a
    threshold, and all that are connected to them through margins above half of it, so that damage is repaired as a
    whole and not just until a criterion is met. Bisection finds the highest threshold that gives a plausible mask. This
    is done with the margin of each pixel and with that of its neighbourhood (a Gaussian of one pixel), for all pixels
    and for those only that are brain in one of the two masks and background in the other; the result with the fewest
    changed pixels is kept.

    Differs from the paper, in which the decoded mask is the result.

    Args:
        masks: implausible masks, values of :class:`scripts.tissue.Tissue`, ``(N, H, W)``.
        probabilities: probabilities of the classes, ``(N, 4, H, W)``, decoded from the codes of
            :func:`scripts.tissue.correct_masks`, so that the most probable classes are a plausible mask.
        criteria: criteria of a plausible mask.
        level: level of each slice, ``(N,)``; NaN, or None, if unknown.

    Returns:
        Plausible masks ``(N, H, W)``: at worst the decoded ones.
    """
    given, shares = np.asarray(masks, dtype=np.uint8), np.asarray(probabilities, dtype=np.float64)
    levels = np.full(len(given), np.nan) if level is None else np.asarray(level, dtype=np.float64)
    decoded = shares.argmax(1).astype(np.uint8)
    margin = shares.max(1) - np.take_along_axis(shares, given[:, None].astype(np.intp), axis=1)[:, 0]
    best = decoded.copy()
    for differs, sigma in itertools.product((decoded != given, (decoded > 0) != (given > 0)), SIGMAS):
        weight = ndimage.gaussian_filter(margin * differs, (0, sigma, sigma)) * differs
        low, high = np.zeros(len(given)), weight.max((1, 2), initial=0.0)
        for _ in range(THRESHOLD_STEPS):
            middle = (low + high) / 2
            mixed = np.where(_hysteresis(weight, middle[:, None, None]), decoded, given)
            valid = criteria.valid(mixed, levels)
            low, high = np.where(valid, middle, low), np.where(valid, high, middle)
            better = valid & ((mixed != given).sum((1, 2)) < (best != given).sum((1, 2)))
            best[better] = mixed[better]
    return best


def _hysteresis(weight: NDArray[np.float64], threshold: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Pixels above the threshold, and those above half of it that are connected to one, ``(N, H, W)``."""
    pieces = slice_components(weight > threshold / 2, diagonal=True)
    seeded = np.zeros(len(pieces.sizes) + 1, dtype=bool)
    seeded[pieces.labels[weight > threshold]] = True
    return seeded[pieces.labels]
