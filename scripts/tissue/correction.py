# SPDX-License-Identifier: Apache-2.0
"""Replace an implausible mask by the nearest plausible one of a latent space.

FOLDED: Codes of a latent space whose decoded masks are plausible.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .bounds import AnatomicalCriteria

__all__ = ["Correction", "ValidBank", "correct_masks"]

BATCH = 256


class ValidBank:
    """A bank of codes, such as those of the training masks, in which the nearest plausible one is found.

    Which codes are plausible depends on the level of the slice that asks. The criteria of the decoded masks are
    measured once and compared with the bounds at that level.

    Args:
        codes: ``(M, K)``.
        decode: from codes ``(n, K)`` to masks ``(n, H, W)``.
        criteria: what is plausible.

    Raises:
        ValueError: ``codes`` is empty or no table.
    """

    def __init__(
        self, codes: ArrayLike, decode: Callable[[NDArray[np.float64]], ArrayLike], criteria: AnatomicalCriteria
    ) -> None:
        self.codes = np.asarray(codes, dtype=np.float64)
        if self.codes.ndim != 2 or not len(self.codes):
            raise ValueError(f"codes must have the shape (M, K) with M > 0, got {self.codes.shape}.")
        self.criteria = criteria
        batches = [self.codes[start : start + BATCH] for start in range(0, len(self.codes), BATCH)]
        self.measures = np.concatenate([criteria.measure(decode(batch)) for batch in batches])  # (M, 12)

    def nearest(self, codes: ArrayLike, level: ArrayLike) -> NDArray[np.int64]:
        """The nearest code of the bank that is plausible at a level.

        Args:
            codes: ``(N, K)``.
            level: 0 to 1, ``(N,)``; NaN where it is not known.

        Returns:
            Indices into the bank, ``(N,)``; -1 where no code is plausible at the level.
        """
        found = np.full(len(np.asarray(codes)), -1)
        for row, (code, where) in enumerate(zip(np.asarray(codes), np.asarray(level), strict=True)):
            plausible = self.criteria.passes(self.measures, [where]).all(1)
            if plausible.any():
                candidates = np.flatnonzero(plausible)
                found[row] = candidates[np.linalg.norm(self.codes[candidates] - code, axis=1).argmin()]
        return found


SEARCH_STEPS = 10
"""Halvings of the segment: the last point is within a thousandth of its length of the first plausible one."""


@dataclass(frozen=True)
class Correction:
    """Corrected masks, and what was done to them.

    Attributes:
        masks: ``(N, H, W)`` uint8, all plausible where ``valid``.
        was_valid: before, ``(N,)``; such masks are unchanged.
        valid: after, ``(N,)``. False only where the bank has no code that is plausible at the level of the slice; that
            mask is left as it was.
        codes: of the corrected masks, ``(N, K)``; NaN for masks that are unchanged.
        distance: from the code of the given mask to that of the corrected one, Euclidean, ``(N,)``; 0 for masks that
            were plausible, or whose own code decodes to a plausible one.
        nearest: index of the nearest valid code of the bank, ``(N,)``; -1 where none was needed or there is none.
        decodings: how often a code of this mask was decoded, ``(N,)``.
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
    r"""Correct the implausible ones of a batch of masks.

    An implausible mask is encoded, :math:`\tilde z`. If its own code decodes to a plausible mask, that is the answer.
    Otherwise, with :math:`z^*` the nearest code of the bank that is plausible at the level of the slice, the point
    :math:`\tilde z + t (z^* - \tilde z)` with the smallest :math:`t` that decodes to a plausible mask is searched by
    halving. The upper end of the interval is plausible at any time, so the answer is, even where plausibility does not
    change just once along the segment.

    Args:
        masks: values of :class:`scripts.tissue.Tissue`, ``(N, H, W)``.
        encode: from masks ``(n, H, W)`` to codes ``(n, K)``.
        decode: from codes ``(n, K)`` to masks ``(n, H, W)``.
        criteria: what is plausible.
        bank: codes to move towards, with the same ``decode`` and ``criteria``.
        level: of the slices, 0 to 1, ``(N,)``; NaN, or None, where it is not known.
        steps: halvings of the interval.

    Returns:
        Masks that are plausible, nearest to the given ones in the latent space, along that segment. They have the
        detail of the decoder; :func:`scripts.tissue.least_change` keeps that of the given masks.

    References:
        Painchaud et al., Cardiac segmentation with strong anatomical guarantees, IEEE Trans. Medical Imaging 39(11),
        2020 (doi:10.1109/TMI.2020.3003240).
    """
    result = np.array(masks, dtype=np.uint8)
    levels = np.full(len(result), np.nan) if level is None else np.asarray(level, dtype=np.float64)
    was_valid = criteria.valid(result, levels)
    valid, distance = was_valid.copy(), np.zeros(len(result))
    nearest, decodings = np.full(len(result), -1), np.zeros(len(result), dtype=np.int64)
    settled = np.full((len(result), bank.codes.shape[1]), np.nan)

    def settle(rows: NDArray[np.intp], codes: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Decode the codes of these masks, keep what is plausible, and say which were."""
        decoded = np.asarray(decode(codes), dtype=np.uint8)
        good = criteria.valid(decoded, levels[rows])
        result[rows[good]], settled[rows[good]] = decoded[good], codes[good]
        valid[rows[good]] = True
        decodings[rows] += 1
        return good

    rows = np.flatnonzero(~was_valid)
    if len(rows):
        codes = np.asarray(encode(result[rows]), dtype=np.float64)
        left = ~settle(rows, codes)
        rows, codes = rows[left], codes[left]
        nearest[rows] = bank.nearest(codes, levels[rows])
        found = nearest[rows] >= 0
        rows, codes = rows[found], codes[found]
    if len(rows):
        moves = bank.codes[nearest[rows]] - codes
        low, high = np.zeros(len(rows)), np.ones(len(rows))
        settle(rows, codes + moves)
        for _ in range(steps):
            middle = (low + high) / 2
            good = settle(rows, codes + middle[:, None] * moves)
            low, high = np.where(good, low, middle), np.where(good, middle, high)
        distance[rows] = high * np.linalg.norm(moves, axis=1)
    return Correction(result, was_valid, valid, settled, distance, nearest, decodings)
