# SPDX-License-Identifier: Apache-2.0
"""A head turned to a plane as radiologists look at it, and what is written on its slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from monai.data import MetaTensor, affine_to_spacing
from monai.transforms import Orientation
from numpy.typing import NDArray

from ..transforms.plane import PLANE_AXCODES

__all__ = ["PLANES", "TEXT", "TurnedHead", "turned_head"]

MARGIN_MM = 8.0
"""What is shown around the mask."""
TEXT, EDGE = "#e8eaed", withStroke(linewidth=1.5, foreground="black")
PLANES = {"axial": ("R", "L", 2, "z"), "coronal": ("R", "L", 1, "y"), "sagittal": ("A", "P", 0, "x")}
"""Letters at the left and the right edge, and the axis of millimetres across the slices, with its name."""


@dataclass(frozen=True)
class TurnedHead:
    """Volumes of a head turned to a plane and cropped: ``volumes[n, ..., k]`` is slice ``k`` of the n-th."""

    plane: str
    volumes: NDArray[np.floating]
    affine: NDArray[np.float64]
    aspect: float
    """Height of a voxel of a slice in widths."""
    column_mm: float
    """Width of a voxel of a slice."""

    def index(self, point_mm: Sequence[float]) -> NDArray[np.int_]:
        """The voxel at a place."""
        place = np.linalg.solve(self.affine, [*point_mm, 1.0])[:3]
        return np.clip(np.rint(place), 0, np.array(self.volumes.shape[1:]) - 1).astype(int)

    def millimetres(self, k: int) -> float:
        """Where the middle of a slice is."""
        rows, columns = (size / 2 for size in self.volumes.shape[1:3])
        return float((self.affine @ [rows, columns, k, 1.0])[PLANES[self.plane][2]])

    def write_place(self, axis: Axes, k: int) -> None:
        """Letters of the sides and the millimetres of a slice, on the axes that show it."""
        left, right, _, name = PLANES[self.plane]
        for x, text, side in ((0.01, left, "left"), (0.99, right, "right")):
            written = axis.text(x, 0.98, text, color=TEXT, fontsize=8, ha=side, va="top", transform=axis.transAxes)
            written.set_path_effects([EDGE])
        text = f"{name} {self.millimetres(k):.0f} mm"
        axis.text(0.01, 0.01, text, color=TEXT, fontsize=7, transform=axis.transAxes).set_path_effects([EDGE])


def turned_head(stack: MetaTensor, plane: str) -> TurnedHead:
    """Turn volumes of one grid to a plane, and crop them to a mask.

    Args:
        stack: volumes ``(C, X, Y, Z)`` with their affine; the last one is the mask of what is worth showing.
        plane: "axial", "coronal" or "sagittal".
    """
    turned = cast(MetaTensor, Orientation(PLANE_AXCODES[plane], labels=None)(stack))
    spacing = affine_to_spacing(turned.affine).tolist()
    where = np.argwhere(np.asarray(turned[-1]) > 0)
    margins = np.array([round(MARGIN_MM / mm) for mm in spacing[:2]] + [0])
    low = np.maximum(where.min(axis=0) - margins, 0)
    high = np.minimum(where.max(axis=0) + margins + 1, turned.shape[1:])
    box = np.asarray(turned)[:, low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    affine = np.asarray(turned.affine, dtype=np.float64).copy()
    affine[:3, 3] += affine[:3, :3] @ low
    return TurnedHead(plane, box[:-1], affine, spacing[0] / spacing[1], spacing[1])
