# SPDX-License-Identifier: Apache-2.0
"""Slice planes: the axis order in which ``volume[:, :, k]`` is slice ``k`` of a plane, rows first.

Example:
    >>> from monai.transforms import Orientationd
    >>> orient = Orientationd(keys="image", axcodes=PLANE_AXCODES["sagittal"], labels=None)
"""

from __future__ import annotations

__all__ = ["PLANE_AXCODES", "plane_axcodes"]

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
