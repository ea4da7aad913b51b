# SPDX-License-Identifier: Apache-2.0
"""Which rows the tables get: only the methods that are asked for are set up."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from torch import Tensor

__all__ = ["Method", "choose", "make_methods"]

T = TypeVar("T")

Method = Callable[..., Tensor]
"""Slices ``(N, 1, H, W)`` to restored slices. One with an attribute ``needs_holes`` that is true is given the boolean
mask of the holes too."""


def make_methods(
    rows: Sequence[str], makers: Mapping[str, Callable[[], Method | Mapping[str, Method] | None]]
) -> dict[str, Method]:
    """Set up the methods that are to be compared.

    Args:
        rows: their names, in the order of the tables.
        makers: what makes each method that is known; ``None`` from it leaves the row out, several methods make a row
            each, ``row_name``.

    Returns:
        The methods by name, in the order of ``rows``.

    Raises:
        ValueError: an unknown name (the nearest known one is named), or no method at all.
    """
    made = {name: maker() for name, maker in choose(rows, makers, "row").items()}
    methods = {
        f"{row}_{name}".rstrip("_"): method
        for row, several in made.items()
        for name, method in (several if isinstance(several, Mapping) else {"": several}).items()
        if method is not None
    }
    if not methods:
        raise ValueError(f"there is no method to evaluate: set rows to some of {', '.join(makers)}.")
    return methods


def choose(names: str | Sequence[str], known: Mapping[str, T], what: str) -> dict[str, T]:
    """Those of the known that are named; a single name may stand for a list of one.

    Raises:
        ValueError: an unknown name, with the nearest known one.
    """
    chosen = {}
    for name in [names] if isinstance(names, str) else names:
        if name not in known:
            nearest = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
            hint = f"did you mean {nearest[0]}?" if nearest else f"choose from {', '.join(known)}."
            raise ValueError(f"{what} {name!r} is unknown: {hint}")
        chosen[name] = known[name]
    return chosen
