# SPDX-License-Identifier: Apache-2.0
"""All attributes of slices of tissue classes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from numpy.typing import ArrayLike, NDArray

from .areas import brain_area, grey_area, ventricle_area, white_area, white_fraction
from .aspect import aspect
from .asymmetry import ventricle_asymmetry
from .centroid import centroid_anterior, centroid_right
from .thickness import cortical_thickness

__all__ = ["ATTRIBUTES", "MEASURES", "UNITS", "SliceAttributesd", "attribute_table", "slice_attributes"]

MEASURES: dict[str, Callable[[NDArray[np.integer], Sequence[float]], NDArray[np.float64]]] = {
    "brain_area": brain_area,
    "ventricle_area": ventricle_area,
    "grey_area": grey_area,
    "white_area": white_area,
    "white_fraction": white_fraction,
    "ventricle_asymmetry": ventricle_asymmetry,
    "centroid_right": centroid_right,
    "centroid_anterior": centroid_anterior,
    "aspect": aspect,
    "cortical_thickness": cortical_thickness,
}
"""What a mask alone tells."""

ATTRIBUTES = (*MEASURES, "slice_level")
"""Names of all attributes, in the order of the tables; the level is known from the volume that a slice is part of."""

UNITS = dict(zip(ATTRIBUTES, ("mm2", "mm2", "mm2", "mm2", "", "", "mm", "mm", "", "mm", ""), strict=True))


def slice_attributes(
    classes: ArrayLike,
    spacing_mm: Sequence[float],
    level: ArrayLike | None = None,
    names: Sequence[str] = ATTRIBUTES,
) -> dict[str, NDArray[np.float64]]:
    """Attributes of a batch of axial slices.

    Args:
        classes: values of :class:`scripts.attributes.Tissue`, ``(N, H, W)``; rows from anterior to posterior, columns
            from the subject's right to left.
        spacing_mm: height and width of a pixel.
        level: position of each slice along the brain, 0 to 1, ``(N,)``; unknown by default.
        names: which ones, of :data:`ATTRIBUTES`.

    Returns:
        Of each name the values ``(N,)`` in the unit of :data:`UNITS`; NaN where an attribute is not defined: what
        there is none of has no position and no shape, and a level that is not known is none.

    Raises:
        ValueError: the shape is not ``(N, H, W)``, or a name is unknown.
    """
    masks = np.asarray(classes)
    if masks.ndim != 3:
        raise ValueError(f"slices must have the shape (N, H, W), got {masks.shape}. Give one slice as slice[None].")
    if unknown := set(names) - set(ATTRIBUTES):
        raise ValueError(f"attributes {sorted(unknown)} are unknown: choose from {', '.join(ATTRIBUTES)}.")
    levels = np.full(len(masks), np.nan) if level is None else np.asarray(level, dtype=np.float64)
    return {name: MEASURES[name](masks, spacing_mm) if name in MEASURES else levels for name in names}


def attribute_table(
    classes: ArrayLike,
    spacing_mm: Sequence[float],
    level: ArrayLike | None = None,
    names: Sequence[str] = ATTRIBUTES,
) -> NDArray[np.float64]:
    """:func:`slice_attributes` as one array ``(N, len(names))``."""
    return np.stack(list(slice_attributes(classes, spacing_mm, level, names).values()), axis=1)


class SliceAttributesd(MapTransform):
    """Add the attributes of a slice to its dictionary.

    Args:
        keys: tissue classes ``(1, H, W)``; those of ``image`` are written under ``image_attributes``, float32,
            ``(len(names),)``.
        spacing_mm: height and width of a pixel.
        names: which ones, of :data:`ATTRIBUTES`.
        level_key: where the level of the slice is, if it is known.
        allow_missing_keys: skip a key that is absent.
    """

    def __init__(
        self,
        keys: KeysCollection,
        spacing_mm: Sequence[float],
        names: Sequence[str] = ATTRIBUTES,
        level_key: str = "level",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.spacing_mm = tuple(spacing_mm)
        self.names = tuple(names)
        self.level_key = level_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Measure the slices under ``keys``."""
        d = dict(data)
        level = [float(d[self.level_key])] if self.level_key in d else None
        for key in self.key_iterator(d):
            table = attribute_table(np.asarray(d[key]), self.spacing_mm, level, self.names)
            d[f"{key}_attributes"] = torch.from_numpy(table[0]).float()
        return d
