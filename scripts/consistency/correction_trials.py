# SPDX-License-Identifier: Apache-2.0
"""What becomes of slices that were replaced on purpose: found or not, and how near the labels after the correction."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from monai.metrics import compute_dice
from numpy.typing import NDArray

from ..data.tissue_slices import one_hot
from ..latents.model import MaskModel
from .consistency_thresholds import ConsistencyThresholds
from .detection import Trial
from .sequence_correction import correct_sequence
from .volume_correction import correct_volume

__all__ = ["Corrected", "correct_trial", "detection_row", "summary_of"]


class Corrected(NamedTuple):
    """A corrected trial.

    Attributes:
        row: numbers, see :func:`correct_trial`.
        profile: of the corrected head, ``(T, L)``.
        mask: what is in the place of the jump now, ``(H, W)``.
    """

    row: dict[str, float]
    profile: NDArray[np.float64]
    mask: NDArray[np.uint8]


def detection_row(trial: Trial) -> dict[str, str | int | float]:
    """Kind and place of a jump, whether it was ``found`` (0 or 1), and how many ``others`` of the head beside it."""
    place, found = trial.place, int(trial.found[trial.place.position])
    return {
        "jump": trial.jump,
        "subject": str(place.slices.subject[place.row]),
        "slice": int(place.slices.index[place.row]),
        "level": round(float(place.slices.level[place.row]), 4),
        "found": found,
        "others": int(trial.found.sum()) - found,
    }


def correct_trial(
    trial: Trial, model: MaskModel, thresholds: ConsistencyThresholds, dims: Collection[int]
) -> Corrected:
    """Correct a head with a jump, by :func:`scripts.consistency.correct_volume` and as published.

    Args:
        trial: a head with a jump.
        model: of masks on the same grid.
        thresholds: by which the jump was looked for.
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


def summary_of(rows: Iterable[dict]) -> pd.DataFrame:
    """Mean of each number over the jumps of each kind, how many ``slices`` there were, and over ``all`` kinds."""
    table = pd.DataFrame(rows).drop(columns=["subject", "slice", "level"])
    table = pd.concat([table, table.assign(jump="all")]).rename(columns={"found": "sensitivity"})
    groups = table.groupby("jump", sort=False)
    means = groups.mean().round(4)
    means.insert(0, "slices", groups.size())
    return means.reset_index()


def _dice(mask: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    """Mean over the tissues of the true slice."""
    given, wanted = (one_hot(torch.from_numpy(np.ascontiguousarray(image))[None]) for image in (mask, truth))
    return float(compute_dice(given, wanted, include_background=False).nanmean())
