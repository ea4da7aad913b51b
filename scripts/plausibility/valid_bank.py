# SPDX-License-Identifier: Apache-2.0
"""Codes of a latent space whose decoded masks are plausible."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .anatomical_criteria import AnatomicalCriteria

__all__ = ["ValidBank"]

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
