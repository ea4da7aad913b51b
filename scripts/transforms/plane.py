# SPDX-License-Identifier: Apache-2.0
"""Slice planes: the axis order in which ``volume[:, :, k]`` is slice ``k`` of a plane, rows first.

Example:
    >>> from monai.transforms import Orientationd
    >>> orient = Orientationd(keys="image", axcodes=PLANE_AXCODES["sagittal"], labels=None)
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, cast

import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform, Orientation

from ..anatomy.planes import AUTO, PLANE_AXCODES, check_plane, plane_axcodes, plane_of

__all__ = ["AUTO", "PLANE", "PLANE_AXCODES", "OrientToPlaned", "check_plane", "plane_axcodes", "plane_of"]

PLANE = "plane"
"""Key of the metadata of a volume: the plane that it was turned to."""


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
