# SPDX-License-Identifier: Apache-2.0
"""What the shipped network was trained for, and what tells that a volume is something else.

It learnt T1-weighted heads of adults, whole, 2 mm. The limits are those that no head of the IXI data set comes near:
of 34 of them, what is brighter than air has 3,200 to 4,400 ml, its median is at .51 to .57 of the bright end; without
their skulls, 1,100 to 1,650 ml and .64 to .71.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor, affine_to_spacing
from monai.transforms import MapTransform
from numpy.typing import NDArray

from .load_volume import WARNINGS
from .plane import AUTO, PLANE, plane_of
from .volume_scale import applied_range

__all__ = ["AIR", "RULES", "STRIPPED", "Facts", "NoteDomaind", "facts_of"]

STRIPPED = "skull_stripped"
"""Key of an item: whether its head looks skull-stripped."""
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
        return 600 < self.millilitres < 2300 and self.background > 0.2 and self.at_border < 0.02


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


class NoteDomaind(MapTransform):
    """Note in an item's ``warnings`` what its volume has that the training had not.

    Args:
        keys: volumes ``(1, H, W, D)`` after ``OrientToPlaned`` and ``ScaleIntensityByVolumePercentiled``.
        coarsest_mm: pixel size up to which nothing is interpolated.
        allow_missing_keys: skip a key that is absent.
        rules: what is noted.
    """

    def __init__(
        self,
        keys: KeysCollection,
        coarsest_mm: float = 8 / 3,
        allow_missing_keys: bool = False,
        rules: Sequence[Rule] = RULES,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.coarsest_mm, self.rules = coarsest_mm, rules

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return ``data`` with what was noted; the volumes are not changed."""
        d = dict(data)
        for key in self.key_iterator(d):
            facts = facts_of(d[key], self.coarsest_mm)
            words = vars(facts) | {
                "thickest": max(facts.spacing_mm),
                "coarsest": max(facts.spacing_mm[:2]),
                "finest": min(facts.spacing_mm[:2]),
                "shortest": min(facts.extent_mm),
                "phases": int(
                    np.prod([max(1, round(0.75 * self.coarsest_mm / size)) for size in facts.spacing_mm[:2]])
                ),
            }
            noted = [rule.text.format(**words) for rule in self.rules if rule.holds(facts)]
            d[WARNINGS] = "\n".join(filter(None, [d.get(WARNINGS, ""), *noted]))
            d[STRIPPED] = facts.stripped
        return d


def facts_of(volume: MetaTensor, coarsest_mm: float = 8 / 3) -> Facts:
    """What the rules look at.

    Args:
        volume: ``(1, H, W, D)`` after ``ScaleIntensityByVolumePercentiled``.
        coarsest_mm: pixel size up to which nothing is interpolated.
    """
    spacing = np.asarray(affine_to_spacing(np.asarray(volume.affine, dtype=float)), dtype=float)
    plain = volume.as_tensor()[0]
    values = plain[::STEP, ::STEP, ::STEP].numpy()
    inside = values > AIR
    faces = [plain.select(axis, place) > AIR for axis in range(3) for place in (0, -1)]
    found = applied_range(volume)
    hidden = 0.0 if found is None else float(found["hidden"][0, ::STEP, ::STEP, ::STEP].float().mean())
    share = float(np.prod(spacing)) / 1000 * volume.numel() / values.size
    return Facts(
        spacing_mm=spacing,
        extent_mm=spacing * volume.shape[1:],
        plane=volume.meta.get(PLANE, "sagittal"),
        best_plane=plane_of(np.asarray(volume.affine, dtype=float), AUTO, coarsest_mm),
        coarsest_mm=coarsest_mm,
        millilitres=share * np.count_nonzero(inside),
        median=float(np.median(values[inside])) if inside.any() else 0.0,
        background=hidden,
        at_border=sum(int(face.sum()) for face in faces) / sum(face.numel() for face in faces),
        values=len(np.unique(values[:: 1 + values.shape[0] // 20])),
    )
