# SPDX-License-Identifier: Apache-2.0
"""Copies of a head under other names, and the persons that they tell to be one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from .examine import ExaminedImage

__all__ = ["find_copies", "persons"]

SAME = 1e-4
"""Largest difference of equal heads as a share of their range: rounding to 16 bits leaves less."""


def find_copies(examined: Sequence[ExaminedImage]) -> dict[int, int]:
    """Find the images whose voxels are those of another one, however stored: compressed anew, turned, rounded.

    Args:
        examined: the images.

    Returns:
        Position of each copy, and of the first image that it is a copy of.
    """
    original = list(range(len(examined)))
    for one, other in _equal_pairs(examined):
        first, last = sorted((_root(original, one), _root(original, other)))
        original[last] = first
    return {place: first for place in range(len(original)) if (first := _root(original, place)) != place}


def persons(examined: Sequence[ExaminedImage], copies: Mapping[int, int]) -> dict[str, str]:
    """The subjects who are one person: those with a head in common, and those called ``sub-01`` and ``01``.

    Args:
        examined: the images.
        copies: see :func:`find_copies`.

    Returns:
        For each subject the first of the names of that person.
    """
    names = sorted({one.image.subject for one in examined})
    place = {name: number for number, name in enumerate(names)}
    first = list(range(len(names)))
    same = [(examined[a].image.subject, examined[b].image.subject) for a, b in copies.items()]
    same += [(name, f"sub-{name}") for name in names if f"sub-{name}" in place]
    for one, other in same:
        low, high = sorted((_root(first, place[one]), _root(first, place[other])))
        first[high] = low
    return {name: names[_root(first, number)] for name, number in place.items()}


def _root(parents: list[int], place: int) -> int:
    while parents[place] != place:
        place = parents[place]
    return place


def _equal_pairs(examined: Sequence[ExaminedImage]) -> Iterator[tuple[int, int]]:
    """Pairs of equal images; only those with almost the same mean are compared."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for place, one in enumerate(examined):
        by_shape.setdefault(one.shape, []).append(place)
    for places in by_shape.values():
        blocks = np.stack([examined[place].blocks for place in places]).astype(np.float64)
        allowed = SAME * np.ptp(blocks, axis=1)
        means = blocks.mean(axis=1)
        order = np.argsort(means, kind="stable")
        for rank, row in enumerate(order):
            for other in order[rank + 1 :]:
                if means[other] - means[row] > allowed[row]:
                    break
                if np.abs(blocks[other] - blocks[row]).max() <= allowed[row]:
                    yield places[row], places[other]
