# SPDX-License-Identifier: Apache-2.0
"""Which rows the tables get: only the methods that are asked for are set up."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

__all__ = ["Method", "make_methods"]

Method = Callable[..., Tensor]
"""Slices ``(N, 1, H, W)`` to restored slices. One with an attribute ``needs_holes`` that is true is given the boolean
mask of the holes too."""


def make_methods(rows: Sequence[str], makers: Mapping[str, Callable[[], Method | None]]) -> dict[str, Method]:
    """Set up the methods that are to be compared.

    Args:
        rows: their names, in the order of the tables.
        makers: what makes each method that is known; ``None`` from it leaves the row out.

    Returns:
        The methods by name, in the order of ``rows``.

    Raises:
        ValueError: an unknown name (the nearest known one is named), or no method at all.
    """
    methods = {}
    for name in [rows] if isinstance(rows, str) else rows:
        if name not in makers:
            nearest = difflib.get_close_matches(str(name), makers, n=1, cutoff=0.4)
            hint = f"did you mean {nearest[0]}?" if nearest else f"choose from {', '.join(makers)}."
            raise ValueError(f"row {name!r} is unknown: {hint}")
        method = makers[name]()
        if method is not None:
            methods[name] = method
    if not methods:
        raise ValueError(f"there is no method to evaluate: set rows to some of {', '.join(makers)}.")
    return methods
