# SPDX-License-Identifier: Apache-2.0
"""How many wrong slices are found, and how many right ones are flagged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..attributes.tissue_slices import TissueSlices
from .consistency_thresholds import ConsistencyThresholds
from .jumps import FAR_MM, JUMPS, Place

__all__ = ["FalseAlarms", "Trial", "false_alarms", "trials"]


class FalseAlarms(NamedTuple):
    """What happens to healthy slices. The first and the last of each head, which cannot be judged, do not count.

    Attributes:
        slices: how many there are.
        flagged: share that is inconsistent with its neighbours.
        found: share that :meth:`ConsistencyThresholds.find` takes for wrong.
    """

    slices: int
    flagged: float
    found: float


class Trial(NamedTuple):
    """A healthy head with one slice replaced.

    Attributes:
        jump: name of the kind, of :data:`scripts.consistency.jumps.JUMPS`.
        place: where.
        mask: what is there now, ``(H, W)``.
        profile: attributes of the head with that slice, ``(T, L)``.
        found: slices that are taken for wrong, ``(T,)``.
    """

    jump: str
    place: Place
    mask: NDArray[np.uint8]
    profile: NDArray[np.float64]
    found: NDArray[np.bool_]


def false_alarms(slices: TissueSlices, thresholds: ConsistencyThresholds) -> FalseAlarms:
    """Judge healthy heads that the thresholds were not learned from."""
    profiles = thresholds.profile(slices.classes, slices.level)
    heads = [(profiles[rows], slices.level[rows]) for rows in slices.volumes()]
    flagged = np.concatenate([thresholds.scores(*head)[1:-1] > 1 for head in heads])
    found = np.concatenate([thresholds.find(*head)[1:-1] for head in heads])
    return FalseAlarms(len(flagged), float(flagged.mean()), float(found.mean()))


def trials(
    slices: TissueSlices, donors: TissueSlices, thresholds: ConsistencyThresholds, per_head: int = 4, seed: int = 0
) -> Iterator[Trial]:
    """Put jumps into healthy heads, one at a time, and look for them.

    Args:
        slices: of heads that the thresholds were not learned from.
        donors: slices of other heads, for :func:`scripts.consistency.jumps.other_head`.
        thresholds: see :class:`ConsistencyThresholds`.
        per_head: places in each head, the same for every kind of jump, never the first or the last slice.
        seed: of places and jumps.

    Yields:
        One trial for each kind and place.

    Raises:
        ValueError: a head has too few slices for so many places, or for a slice of its own that is far away.
    """
    rng = np.random.default_rng(seed)
    slice_mm = thresholds.spacing_mm[2]
    least = min(len(rows) for rows in slices.volumes())
    if least - 2 < per_head:
        raise ValueError(
            f"per_head must be at most {least - 2}, the judged slices of the smallest head, got {per_head}."
        )
    if least <= 2 * round(FAR_MM / slice_mm):
        raise ValueError(f"a head has {least} slices of {slice_mm:g} mm: some would have none {FAR_MM:g} mm away.")
    places = [
        Place(slices, rows, int(position), donors, slice_mm)
        for rows in slices.volumes()
        for position in rng.choice(np.arange(1, len(rows) - 1), per_head, replace=False)
    ]
    healthy = thresholds.profile(slices.classes, slices.level)
    levels = slices.level[[place.row for place in places]]
    for name, jump in JUMPS.items():
        masks = np.stack([jump(place, rng) for place in places])
        for place, mask, values in zip(places, masks, thresholds.profile(masks, levels), strict=True):
            profile = healthy[place.rows].copy()
            profile[place.position] = values
            yield Trial(name, place, mask, profile, thresholds.find(profile, slices.level[place.rows]))
