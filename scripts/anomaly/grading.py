# SPDX-License-Identifier: Apache-2.0
"""What a map finds in one head: synthetic lesions of known size and contrast are put into this very head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy import ndimage

from ..evaluation.lesion_kinds import LESION_KINDS
from ..evaluation.lesions import put_lesions
from .clusters import cluster_strengths, label_clusters
from .detector import WORKING_MM, Head
from .mapper import AnomalyMapper
from .measures import found_lesions

__all__ = ["CONTRASTS", "SIZES_MM", "GradedLesion", "grade", "share_table", "view_of"]

SIZES_MM = ((4.0, 8.0), (8.0, 14.0), (14.0, 20.0))
CONTRASTS = ((0.1, 0.2), (0.2, 0.35), (0.35, 0.5))
"""As a share of the bright end of the image, its 99.5th percentile."""
KINDS = ("bright", "dark")
OTHERS = {
    "wrong_texture": "usual intensity, another texture",
    "mass_effect": "a mass of the usual intensity that displaces tissue",
    "atrophy": "tissue lost to the fluid beside it",
    "foreign": "tissue of another place, of the usual intensity",
    "asymmetry": "one side moved, a little brighter or darker",
}
"""Kinds that have no contrast of their own, in words."""
EACH = 3
"""Lesions that are put into the head at once."""
VIEW_MM = 32.0
"""Half the side of a view."""


@dataclass(frozen=True)
class GradedLesion:
    """One synthetic lesion, and whether the map shows it.

    Attributes:
        kind: a key of :data:`~scripts.evaluation.lesion_kinds.LESION_KINDS`.
        diameter_mm: of the ball of its volume.
        contrast: what was asked for.
        found: whether a called cluster lies on it.
        view: axial slice through it, the right side of the head on the left.
        outline: its mask there.
    """

    kind: str
    diameter_mm: float
    contrast: float
    found: bool
    view: NDArray[np.floating]
    outline: NDArray[np.bool_]


def grade(mapper: AnomalyMapper, head: Head, called: NDArray[np.integer], seed: int = 0) -> list[GradedLesion]:
    """Put lesions of each size, contrast and kind into a head, and look for them with its own detector.

    Args:
        mapper: maps the head.
        head: the head.
        called: its called clusters, which stay out of it: a lesion on them would count as found.
        seed: of the lesions.
    """
    free = head.brain.numpy() & ~ndimage.binary_dilation(called > 0, iterations=3)
    if not free.any():
        return []
    asked = [(kind, size, contrast) for kind in KINDS for size in SIZES_MM for contrast in CONTRASTS]
    asked += [(kind, LESION_KINDS[kind].diameter_mm, LESION_KINDS[kind].contrast) for kind in OTHERS]
    return [one for place, what in enumerate(asked) for one in _graded(mapper, head, free, seed + place, *what)]


def share_table(graded: list[GradedLesion]) -> pd.DataFrame:
    """How many lesions were found: rows by size, columns by contrast, then the kinds without contrast."""
    rows = []
    for low, high in SIZES_MM:
        row = {"synthetic lesions": f"brighter or darker, {low:g} to {high:g} mm"}
        for least, most in CONTRASTS:
            chosen = [
                one
                for one in graded
                if one.kind in KINDS and low <= one.diameter_mm <= high and least <= abs(one.contrast) <= most
            ]
            row[f"contrast {least:g} to {most:g}"] = _counted(chosen)
        rows.append(row)
    for kind, words in OTHERS.items():
        low, high = LESION_KINDS[kind].diameter_mm
        text = _counted([one for one in graded if one.kind == kind])
        rows.append({"synthetic lesions": f"{words}, {low:g} to {high:g} mm", "any contrast": text})
    return pd.DataFrame(rows).fillna("")


def _counted(lesions: list[GradedLesion]) -> str:
    found = sum(one.found for one in lesions)
    return f"{found} of {len(lesions)} found" if lesions else "no room for any"


def _graded(
    mapper: AnomalyMapper,
    head: Head,
    free: NDArray[np.bool_],
    seed: int,
    kind: str,
    diameter_mm: tuple[float, float],
    contrast: tuple[float, float],
) -> list[GradedLesion]:
    image, numbers, lesions = put_lesions(head.image.numpy(), free, kind, seed, (EACH, EACH), diameter_mm, contrast)
    if not lesions:
        return []
    values = mapper.values(Head(torch.from_numpy(image), head.brain, head.affine)).numpy()
    labels = label_clusters(values)
    p = mapper.calibrated().p_of_clusters(cluster_strengths(labels, values))
    found = found_lesions(np.append(0, p <= mapper.level)[labels] * labels, numbers, len(lesions))
    return [
        GradedLesion(
            kind,
            lesion.diameter_mm,
            lesion.contrast,
            there,
            view_of(image, lesion.centre),
            view_of(numbers == number, lesion.centre),
        )
        for number, (lesion, there) in enumerate(zip(lesions, found, strict=True), start=1)
    ]


def view_of(volume: NDArray, centre: tuple[int, int, int]) -> NDArray:
    """The axial slice around a place, nose up, the right side on the left; 0 beyond the volume.

    Args:
        volume: on the grid of the detectors.
        centre: voxel.
    """
    half = round(VIEW_MM / WORKING_MM)
    padded = np.pad(volume[centre[0]], half)
    return padded[centre[1] : centre[1] + 2 * half + 1, centre[2] : centre[2] + 2 * half + 1][:, ::-1]
