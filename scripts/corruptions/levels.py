# SPDX-License-Identifier: Apache-2.0
"""How much of which kind of damage a volume has: what a verdict learns to tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..anatomy.damage_kinds import DECADES, KINDS, LEAST_RMS
from .corruption import Corruption, EachSlice, Step

__all__ = ["graded_pair", "kinds_of", "level_of"]

KIND_OF_STEP = {
    "RandBiasField": "bias",
    "RandMotion": "motion",
    "RandThickSlices": "thick",
    "RandRicianNoise": "noise",
    "RandGaussianNoise": "noise",
    "RandUndersampling": "lines",
    "RandGibbsRinging": "ringing",
    "RandPixelDropout": "dropout",
    "RandHoles": "holes",
    "RandLesionHoles": "holes",
    "RandKSpaceBlur": "blur",
    "RandGaussianBlur": "blur",
}
TISSUE = 0.08
"""Intensity from which a voxel counts."""


def level_of(mean_square: Tensor) -> Tensor:
    """Level in [0, 1] of a mean square change of the tissue: 0 up to a root of .0032, 1 from .16 on, by its logarithm.

    Noise of 1.5, 4 and 8 % has levels of .40, .65 and .83.
    """
    root = mean_square.clamp(min=1e-12).sqrt()
    return ((root / LEAST_RMS).log10() / DECADES).clamp(0, 1)


def graded_pair(corruption: Corruption, images: Tensor, keys: Mapping[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
    """Damaged volumes and targets as of :meth:`Corruption.pair`, and levels.

    What one step does in several ways, as that of the default training, counts fully for each of them.

    Args:
        corruption: what damages.
        images: volumes, ``(B, 1, H, W, D)``.
        keys: those of the corruption.

    Returns:
        Damaged volumes, targets, and the level of each of :data:`~scripts.anatomy.damage_kinds.KINDS`, ``(B, K)``,
        0 where that kind is absent.
    """
    tissue = (images > TISSUE).float()
    count = tissue.flatten(1).sum(dim=1).clamp(min=1)
    changes = images.new_zeros(len(images), len(KINDS))

    def observe(step: Step, before: Tensor, after: Tensor) -> None:
        change = ((after - before).square() * tissue).flatten(1).sum(dim=1) / count
        for kind in kinds_of(step):
            changes[:, KINDS.index(kind)] += change

    damaged, targets = corruption.pair(images, keys, observe)
    sound = (damaged == targets).flatten(1).all(dim=1)
    return damaged, targets, level_of(changes).masked_fill(sound[:, None], 0.0)


def kinds_of(step: Step) -> set[str]:
    """Those of :data:`~scripts.anatomy.damage_kinds.KINDS` that a step makes."""
    if isinstance(step, EachSlice):
        return set().union(*map(kinds_of, step.steps))
    kind = KIND_OF_STEP.get(type(step).__name__)
    return set() if kind is None else {kind}
