# SPDX-License-Identifier: Apache-2.0
"""What the shipped network was trained for, and what tells that a volume is something else.

It learnt T1-weighted heads of adults, whole, 2 mm. The limits are those that no head of the IXI data set comes near:
of 34 of them, what is brighter than air has 3,200 to 4,400 ml, its median is at .51 to .57 of the bright end; without
their skulls, 1,100 to 1,650 ml and .64 to .71.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .planes import AUTO, plane_of, voxel_sizes

__all__ = ["AIR", "RULES", "Facts", "Rule", "facts_of", "notes"]

AIR = 0.15
"""Of the bright end: what is darker counts as air."""
STEP = 3
"""Of the voxels, every third along each axis is looked at."""


@dataclass(frozen=True)
class Facts:
    """What the rules look at, of a volume turned to its plane and scaled."""

    spacing_mm: NDArray[np.float64]
    """Height and width of a pixel, distance of the slices."""
    extent_mm: NDArray[np.float64]
    plane: str
    best_plane: str
    """The one that ``auto`` chooses."""
    coarsest_mm: float
    """Pixel size up to which nothing is interpolated."""
    millilitres: float
    """Volume of what is brighter than air."""
    median: float
    """Of what is brighter than air, in bright ends."""
    background: float
    """Share of voxels that were set around the head."""
    at_border: float
    """Share of the faces of the volume that is brighter than air."""
    values: int
    """Number of different values."""

    @property
    def stripped(self) -> bool:
        """Whether the skull seems to have been removed: a brain alone in a constant."""
        return bool(600 < self.millilitres < 2300 and self.background > 0.2 and self.at_border < 0.02)


@dataclass(frozen=True)
class Rule:
    """A property that the training did not have, and what to say of a volume that has it."""

    what: str
    """For the documentation."""
    holds: Callable[[Facts], bool]
    text: str
    """With fields of :class:`Facts`."""


RULES = (
    Rule(
        "pixels that are interpolated although another plane would have finer ones",
        lambda facts: max(facts.spacing_mm[:2]) > facts.coarsest_mm and facts.plane != facts.best_plane,
        "the {plane} plane cuts across slices of {thickest:.3g} mm: --plane {best_plane} would not interpolate them.",
    ),
    Rule(
        "thick slices, for which the plane auto takes theirs",
        lambda facts: facts.plane == facts.best_plane != "sagittal",
        "slices of {thickest:.3g} mm: restored in the {plane} plane. The network learnt sagittal slices of 2 mm.",
    ),
    Rule(
        "coarse voxels in every plane",
        lambda facts: max(facts.spacing_mm[:2]) > facts.coarsest_mm and facts.plane == facts.best_plane,
        "pixels of {coarsest:.3g} mm are interpolated to 2 mm, which the network takes for blur: it may do more harm "
        "than good.",
    ),
    Rule(
        "very fine pixels",
        lambda facts: min(facts.spacing_mm[:2]) < 0.4,
        "pixels of {finest:.3g} mm: each slice is restored in {phases} parts, each with little of its noise averaged.",
    ),
    Rule(
        "a slab: less than 100 mm along an axis",
        lambda facts: min(facts.extent_mm) < 100,
        "it covers only {shortest:.3g} mm: the network learnt whole heads.",
    ),
    Rule(
        "a skull-stripped head",
        lambda facts: facts.stripped,
        "it looks skull-stripped: the network learnt whole heads.",
    ),
    Rule(
        "not a head's size",
        lambda facts: not facts.stripped and not 1000 < facts.millilitres < 7500 and min(facts.extent_mm) >= 100,
        "what is brighter than air has {millilitres:.0f} ml: the head of an adult has 3000 to 4500.",
    ),
    Rule(
        "few different values",
        lambda facts: facts.values <= 32,
        "it has only {values} different values: is it a segmentation?",
    ),
    Rule(
        "intensities unlike those of T1-weighted heads",
        lambda facts: not 0.2 < facts.median < 0.85,
        "half of what is brighter than air is below {median:.2f} of the bright end, in T1-weighted heads .5 to .7.",
    ),
)


def facts_of(
    volume: NDArray[np.floating],
    affine: NDArray[np.floating],
    hidden: NDArray[np.bool_] | None = None,
    plane: str = "sagittal",
    coarsest_mm: float = 8 / 3,
) -> Facts:
    """What the rules look at.

    Args:
        volume: ``(H, W, D)``, turned to its plane and scaled.
        affine: ``(4, 4)``, voxel indices to millimetres, RAS.
        hidden: voxels that were set around the head, same shape.
        plane: the one that it was turned to.
        coarsest_mm: pixel size up to which nothing is interpolated.
    """
    spacing = voxel_sizes(affine)
    values = volume[::STEP, ::STEP, ::STEP]
    inside = values > AIR
    faces = [np.moveaxis(volume, axis, 0)[place] > AIR for axis in range(3) for place in (0, -1)]
    share = float(np.prod(spacing)) / 1000 * volume.size / values.size
    return Facts(
        spacing_mm=spacing,
        extent_mm=spacing * volume.shape,
        plane=plane,
        best_plane=plane_of(affine, AUTO, coarsest_mm),
        coarsest_mm=coarsest_mm,
        millilitres=share * np.count_nonzero(inside),
        median=float(np.median(values[inside])) if inside.any() else 0.0,
        background=0.0 if hidden is None else float(hidden[::STEP, ::STEP, ::STEP].mean()),
        at_border=sum(np.count_nonzero(face) for face in faces) / sum(face.size for face in faces),
        values=len(np.unique(values[:: 1 + values.shape[0] // 20])),
    )


def notes(facts: Facts, rules: Sequence[Rule] = RULES) -> list[str]:
    """What a volume has that the training had not, a line each."""
    words = vars(facts) | {
        "thickest": max(facts.spacing_mm),
        "coarsest": max(facts.spacing_mm[:2]),
        "finest": min(facts.spacing_mm[:2]),
        "shortest": min(facts.extent_mm),
        "phases": int(np.prod([max(1, round(0.75 * facts.coarsest_mm / size)) for size in facts.spacing_mm[:2]])),
    }
    return [rule.text.format(**words) for rule in rules if rule.holds(facts)]
