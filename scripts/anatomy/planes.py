# SPDX-License-Identifier: Apache-2.0
"""Slice planes: the axis order in which ``volume[:, :, k]`` is slice ``k`` of a plane, rows first."""

from __future__ import annotations

from collections.abc import Sequence

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

__all__ = ["AUTO", "PLANE_AXCODES", "check_plane", "plane_axcodes", "plane_of", "seen_voxels", "voxel_sizes"]

AUTO = "auto"
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
    spacing = voxel_sizes(affine)
    thick = int(spacing.argmax())
    axis = int(nib.orientations.io_orientation(affine)[thick, 0])
    is_thick = spacing[thick] > coarsest_mm and spacing[thick] > THICK * np.delete(spacing, thick).max()
    return ("sagittal", "coronal", "axial")[axis] if is_thick else "sagittal"


def check_plane(plane: str) -> None:
    """Refuse a plane that is neither known nor "auto".

    Raises:
        ValueError: it is not.
    """
    if plane != AUTO:
        plane_axcodes(plane)


def voxel_sizes(affine: NDArray[np.floating]) -> NDArray[np.float64]:
    """Sizes of the voxels along their axes, in the unit of an affine, ``(4, 4)``."""
    return np.linalg.norm(np.asarray(affine, dtype=np.float64)[:3, :3], axis=0)


def seen_voxels(
    shape: Sequence[int], spacing_mm: Sequence[float], target_mm: float, coarsest_mm: float, multiple: int = 8
) -> float:
    """Voxels of a volume as a network will see them: resampled, dealt out, padded.

    Args:
        shape: ``(H, W, D)``, turned to its plane.
        spacing_mm: of its voxels.
        target_mm: pixel size of the network.
        coarsest_mm: pixel size up to which nothing is interpolated.
        multiple: of which height and width become multiples.
    """

    def along(size: int, spacing: float) -> int:
        if spacing > coarsest_mm:
            return padded(size * spacing / target_mm)
        parts = max(1, round(target_mm / spacing))
        return parts * padded(size / parts)

    def padded(size: float) -> int:
        return -int(-size // multiple) * multiple

    return along(shape[0], spacing_mm[0]) * along(shape[1], spacing_mm[1]) * shape[2]
