# SPDX-License-Identifier: Apache-2.0
"""Slice planes: the axis order in which ``volume[:, :, k]`` is slice ``k`` of a plane, rows first.

Example:
    >>> from monai.transforms import Orientationd
    >>> orient = Orientationd(keys="image", axcodes=PLANE_AXCODES["sagittal"], labels=None)
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, cast

import nibabel as nib
import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor, affine_to_spacing
from monai.transforms import InvertibleTransform, MapTransform, Orientation

__all__ = ["AUTO", "PLANE", "PLANE_AXCODES", "OrientToPlaned", "check_plane", "plane_axcodes", "plane_of"]

AUTO = "auto"
PLANE = "plane"
"""Key of the metadata of a volume: the plane that it was turned to."""
THICK = 1.25
"""Slices count as thick if they are farther apart than so many of the other voxel sizes."""

PLANE_AXCODES: dict[str, str] = {
    "sagittal": "IPR",  # rows superior to inferior, columns anterior to posterior, slices left to right
    "coronal": "ILP",  # rows superior to inferior, columns right to left, slices anterior to posterior
    "axial": "PLS",  # rows anterior to posterior, columns right to left, slices inferior to superior
}


def plane_axcodes(plane: str) -> str:
    """Axis codes of a slice plane, as nibabel defines them.

    A letter names the side towards which the index grows: "I" on the first axis puts the top of the head in row 0.

    Args:
        plane: "sagittal", "coronal" or "axial".

    Returns:
        Three letters for ``Orientationd(axcodes=...)``.

    Raises:
        ValueError: the plane is unknown.

    Example:
        >>> plane_axcodes("sagittal")
        'IPR'
    """
    if plane not in PLANE_AXCODES:
        raise ValueError(f"plane {plane!r} is unknown: choose one of {', '.join(PLANE_AXCODES)}.")
    return PLANE_AXCODES[plane]


def plane_of(affine: np.ndarray, plane: str = AUTO, coarsest_mm: float = 8 / 3) -> str:
    """The plane of the slices in which a volume is restored.

    Args:
        affine: ``(4, 4)``, voxel indices to millimetres, RAS.
        plane: "sagittal", "coronal", "axial", or "auto": that of thick slices, so that nothing is interpolated across
            them; else sagittal.
        coarsest_mm: pixel size up to which nothing is interpolated.

    Returns:
        "sagittal", "coronal" or "axial".

    Example:
        >>> plane_of(np.diag([1.0, 1.0, 6.0, 1.0])), plane_of(np.diag([1.0, 1.0, 1.2, 1.0]))
        ('axial', 'sagittal')
    """
    check_plane(plane)
    if plane != AUTO:
        return plane
    spacing = np.asarray(affine_to_spacing(np.asarray(affine, dtype=float)), dtype=float)
    thick = int(spacing.argmax())
    axis = int(nib.orientations.io_orientation(affine)[thick, 0])
    is_thick = spacing[thick] > coarsest_mm and spacing[thick] > THICK * np.delete(spacing, thick).max()
    return ("sagittal", "coronal", "axial")[axis] if is_thick else "sagittal"


class OrientToPlaned(MapTransform, InvertibleTransform):
    """``Orientationd`` to the slices of a plane, which may be chosen by the voxel size of each volume.

    Args:
        keys: volumes ``(1, H, W, D)`` with their affine; the plane is in the metadata of the result.
        plane: see :func:`plane_of`.
        coarsest_mm: see :func:`plane_of`.
        allow_missing_keys: skip a key that is absent.

    Raises:
        ValueError: the plane is unknown.
    """

    def __init__(
        self, keys: KeysCollection, plane: str = AUTO, coarsest_mm: float = 8 / 3, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        check_plane(plane)
        self.plane, self.coarsest_mm = plane, coarsest_mm
        self.turns = {name: Orientation(axcodes=codes, labels=None) for name, codes in PLANE_AXCODES.items()}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Turn the volumes of ``data``."""
        d = dict(data)
        for key in self.key_iterator(d):
            plane = plane_of(np.asarray(d[key].affine, dtype=float), self.plane, self.coarsest_mm)
            turned = cast(MetaTensor, self.turns[plane](d[key]))
            turned.meta[PLANE] = plane
            d[key] = turned
        return d

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Turn the volumes of ``data`` back."""
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = self.turns[d[key].meta[PLANE]].inverse(d[key])
        return d


def check_plane(plane: str) -> None:
    """Refuse a plane that is neither known nor "auto".

    Raises:
        ValueError: it is not.
    """
    if plane != AUTO:
        plane_axcodes(plane)
