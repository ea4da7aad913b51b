# SPDX-License-Identifier: Apache-2.0
"""A latent space of which codes, attributes and subjects are given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scripts.latent.space import TissueSpace


class KnownSpace(TissueSpace):
    """What needs neither a network nor a cohort of a :class:`TissueSpace`.

    Args:
        codes: codes of each part, ``(N, K)``.
        attributes: attributes of each part, ``(N, L)``.
        subject: subject of each slice, ``(N,)``, by part.
        regularised: whether the first dimensions are tied to the attributes.
    """

    def __init__(
        self,
        codes: dict[str, NDArray[np.float64]],
        attributes: dict[str, NDArray[np.float64]] | None = None,
        subject: dict[str, NDArray[np.str_]] | None = None,
        regularised: bool = True,
    ) -> None:
        self.codes, self.known, self.subject = codes, attributes or {}, subject or {}
        self.regularised, self.part = regularised, "test"
        self.names = tuple("abc"[: next(iter(self.known.values())).shape[1]] if self.known else "")

    def attributes(self, part: str) -> NDArray[np.float64]:
        """Those that were given."""
        return self.known[part]
