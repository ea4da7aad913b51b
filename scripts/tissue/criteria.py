# SPDX-License-Identifier: Apache-2.0
"""The fourteen criteria of a plausible tissue mask, and their measurement on slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .attributes import brain_area, ventricle_asymmetry
from .classes import Tissue
from .shape import contact_length, convexity, exterior, gap_radius, hole_share, outline_gaps, slice_components
from .thickness import grey_matter_depth

__all__ = ["CRITERIA", "Criterion", "measure_criteria"]


@dataclass(frozen=True)
class Criterion:
    """Meaning of a criterion, and the sides on which it is bounded.

    Attributes:
        meaning: description with the unit, for tables.
        lower: whether values below those of healthy brains are implausible.
        upper: whether values above those of healthy brains are implausible.
    """

    meaning: str
    lower: bool = False
    upper: bool = False


CRITERIA: dict[str, Criterion] = {
    "brain_gap": Criterion("radius of the largest gap in the brain, sulci closed, mm", upper=True),
    "brain_components": Criterion("separate pieces of brain", upper=True),
    "border_contact": Criterion("brain along the edge of the image, mm", upper=True),
    "ventricle_exterior": Criterion("border between ventricles and exterior, mm", upper=True),
    "hole_share": Criterion("enclosed background, share of the brain", upper=True),
    "white_unity": Criterion("largest piece of white matter, share of all", lower=True),
    "ventricle_asymmetry": Criterion("ventricles, (R - L) / (R + L)", lower=True, upper=True),
    "brain_area": Criterion("area of the brain, mm2", lower=True, upper=True),
    "convexity": Criterion("area of the brain, share of its convex hull", lower=True),
    "grey_matter_depth": Criterion("mean depth of the grey matter, mm", lower=True, upper=True),
    "white_exterior": Criterion("white matter along the exterior, share of the brain's outline", upper=True),
    "ventricle_components": Criterion("separate pieces of ventricle", upper=True),
    "side_gap": Criterion("radius of the largest disc that the brain has on one side only, mm", upper=True),
    "hull_gap": Criterion("radius of the largest disc that the hull of both sides has outside it, mm", upper=True),
}
"""C1 to C14, in this order."""


def measure_criteria(classes: ArrayLike, spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """Measure the fourteen criteria on a batch of slices.

    Tissue is connected across corners, background is not.

    Args:
        classes: tissue masks, values of :class:`scripts.tissue.Tissue`, ``(N, H, W)``; columns from the subject's right
            to left.
        spacing_mm: height and width of a pixel.

    Returns:
        Values ``(N, 14)`` in the order of :data:`CRITERIA`; NaN where one is undefined: ``ventricle_asymmetry`` without
        ventricles, ``convexity`` of an empty slice. The share or thickness of an absent tissue is 0, which is below the
        bound at levels where every brain has that tissue.

    Raises:
        ValueError: the shape is not ``(N, H, W)``.
    """
    masks = np.asarray(classes)
    if masks.ndim != 3:
        raise ValueError(f"slices must have the shape (N, H, W), got {masks.shape}. Give one slice as slice[None].")
    brain, ventricle, white = masks > 0, masks == Tissue.VENTRICLE, masks == Tissue.WHITE
    outside = exterior(brain)
    frame = np.ones((len(masks), masks.shape[1] + 2, masks.shape[2] + 2), dtype=bool)
    frame[:, 1:-1, 1:-1] = False
    outline = contact_length(brain, outside, spacing_mm)
    values = (
        gap_radius(brain, spacing_mm),
        slice_components(brain, diagonal=True).counts(),
        contact_length(brain, frame, spacing_mm),
        contact_length(ventricle, outside, spacing_mm),
        hole_share(brain),
        slice_components(white, diagonal=True).largest() / np.maximum(white.sum((1, 2)), 1),
        ventricle_asymmetry(masks, spacing_mm),
        brain_area(masks, spacing_mm),
        convexity(brain),
        np.nan_to_num(grey_matter_depth(masks, spacing_mm)),
        contact_length(white, outside, spacing_mm) / np.where(outline > 0, outline, 1),
        slice_components(ventricle, diagonal=True).counts(),
        *outline_gaps(brain, spacing_mm).T,
    )
    return np.stack([np.asarray(value, dtype=np.float64) for value in values], axis=1)
