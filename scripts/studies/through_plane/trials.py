# SPDX-License-Identifier: Apache-2.0
"""Healthy heads with one wrong slice: is it found, are right ones flagged, and what does the correction make of it?"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...latent.model import MaskModel
from ...metrics import mean_dice
from ...tissue import TISSUES
from ...tissue.slices import TissueSlices
from ...tissue.through_plane.correction import correct_sequence, correct_volume
from ...tissue.through_plane.thresholds import ConsistencyThresholds
from .jumps import FAR_MM, JUMPS, Place

__all__ = ["Corrected", "FalseAlarms", "Trial", "correct_trial", "false_alarms", "trials"]


class FalseAlarms(NamedTuple):
    """What happens to healthy slices. The first and the last of each head, which cannot be judged, do not count.

    Attributes:
        slices: number of slices.
        flagged: share that is inconsistent with its neighbours.
        found: share that :meth:`ConsistencyThresholds.find` takes for wrong.
    """

    slices: int
    flagged: float
    found: float


class Trial(NamedTuple):
    """A healthy head with one slice replaced.

    Attributes:
        jump: name of the kind, of :data:`scripts.studies.through_plane.jumps.JUMPS`.
        place: where.
        mask: replaced slice, ``(H, W)``.
        profile: attributes of the head with that slice, ``(T, L)``.
        found: slices that are taken for wrong, ``(T,)``.
    """

    jump: str
    place: Place
    mask: NDArray[np.uint8]
    profile: NDArray[np.float64]
    found: NDArray[np.bool_]

    def row(self) -> dict[str, str | int | float]:
        """Kind and place, whether the jump was ``found`` (0 or 1), and how many ``others`` of the head beside it."""
        slices, found = self.place.slices, int(self.found[self.place.position])
        return {
            "jump": self.jump,
            "subject": str(slices.subject[self.place.row]),
            "slice": int(slices.index[self.place.row]),
            "level": round(float(slices.level[self.place.row]), 4),
            "found": found,
            "others": int(self.found.sum()) - found,
        }


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
        slices: slices of heads that the thresholds were not learned from.
        donors: slices of other heads, for the jump ``other_head``.
        thresholds: see :class:`ConsistencyThresholds`.
        per_head: places in each head, the same for every kind of jump, never the first or the last slice.
        seed: seed of places and jumps.

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


class Corrected(NamedTuple):
    """A corrected trial.

    Attributes:
        row: numbers, see :func:`correct_trial`.
        profile: attributes of the corrected head, ``(T, L)``.
        mask: corrected slice in the place of the jump, ``(H, W)``.
    """

    row: dict[str, float]
    profile: NDArray[np.float64]
    mask: NDArray[np.uint8]


def correct_trial(
    trial: Trial, model: MaskModel, thresholds: ConsistencyThresholds, dims: Collection[int]
) -> Corrected:
    """Correct a head with a jump, by :func:`scripts.tissue.correct_volume` and as published.

    Args:
        trial: a head with a jump.
        model: model of masks on the same grid.
        thresholds: thresholds by which the jump was looked for.
        dims: latent dimensions that stand for attributes.

    Returns:
        ``consistent``: whether the corrected profile is within the thresholds, 0 or 1; ``dice_before``, ``dice_after``:
        agreement of the replaced slice with the labels (mean over the tissues that are there); ``consistent_smoothed``,
        ``dice_smoothed``: the same for the published way, in which all slices are smoothed and decoded.
    """
    place = trial.place
    level = place.slices.level[place.rows]
    masks = place.slices.classes[place.rows].copy()
    masks[place.position] = trial.mask
    result = correct_volume(masks, model.encode, model.probabilities, thresholds, level)

    def consistent(codes: NDArray[np.float64]) -> bool:
        return thresholds.consistent(thresholds.profile(model.decode(codes), level), level)

    smoothed = correct_sequence(model.encode(masks), dims, consistent)
    row: dict[str, float] = {
        "consistent": int(result.consistent),
        "consistent_smoothed": int(consistent(smoothed)),
        "dice_before": _dice(trial.mask, place.mask),
        "dice_after": _dice(result.classes[place.position], place.mask),
        "dice_smoothed": _dice(model.decode(smoothed[[place.position]])[0], place.mask),
    }
    return Corrected(row, thresholds.profile(result.classes, level), result.classes[place.position])


def _dice(mask: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    """Mean over the tissues of the true slice."""
    there = [tissue for tissue in TISSUES.values() if (truth == tissue).any()]
    return float(mean_dice(mask[None], truth[None], there)[0])
