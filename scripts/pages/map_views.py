# SPDX-License-Identifier: Apache-2.0
"""Slices of a head with a map over them, as radiologists look at them: the right side of the head on the left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from monai.data import MetaTensor, affine_to_spacing
from monai.transforms import Orientation
from numpy.typing import NDArray
from torch import Tensor

from ..transforms.plane import PLANE_AXCODES

__all__ = ["MappedHead"]

MARGIN_MM = 8.0
"""What is shown around the mask."""
COLORS, OUTLINE, TEXT = "autumn", "#35e0ff", "#e8eaed"
PLANES = {"axial": ("R", "L", 2, "z"), "coronal": ("R", "L", 1, "y"), "sagittal": ("A", "P", 0, "x")}
"""Letters at the left and the right edge, and the axis of millimetres across the slices, with its name."""


@dataclass(frozen=True)
class _Turned:
    """A head turned to a plane and cropped: ``[..., k]`` is slice ``k``."""

    image: NDArray[np.floating]
    values: NDArray[np.floating]
    regions: NDArray[np.floating]
    affine: NDArray[np.float64]
    aspect: float

    def index(self, point_mm: Sequence[float]) -> NDArray[np.int_]:
        """The voxel at a place."""
        place = np.linalg.solve(self.affine, [*point_mm, 1.0])[:3]
        return np.clip(np.rint(place), 0, np.array(self.image.shape) - 1).astype(int)

    def millimetres(self, k: int, axis: int) -> float:
        """Where the middle of a slice is."""
        rows, columns = (size / 2 for size in self.image.shape[:2])
        return float((self.affine @ [rows, columns, k, 1.0])[axis])


class MappedHead:
    """Pictures of a head with a map.

    Args:
        volume: head ``(1, X, Y, Z)`` with its affine.
        values: map, ``(X, Y, Z)``.
        regions: numbers of outlined regions, same shape.
        mask: what is worth showing, same shape.
        line: value from which the map is coloured.
        ticks: texts of the colour bar by their values; the colours end at the last.
        label: what the colours are.
    """

    def __init__(
        self,
        volume: MetaTensor,
        values: Tensor,
        regions: Tensor,
        mask: Tensor,
        line: float,
        ticks: Mapping[float, str],
        label: str,
    ) -> None:
        image = torch.as_tensor(np.asarray(volume))[0].float()
        self.stack = MetaTensor(torch.stack([image, values, regions.float(), mask.float()]), affine=volume.affine)
        self.window = tuple(np.percentile(image[mask > 0].numpy(), (0.5, 99.8)).tolist())
        self.window = (min(0.0, self.window[0]), self.window[1])
        self.line, self.norm = line, Normalize(line, max(ticks))
        self.colors = ScalarMappable(self.norm, COLORS)
        self.ticks, self.label = ticks, label
        self.turned: dict[str, _Turned] = {}

    def montage(self, rows: int = 4, columns: int = 6) -> Figure:
        """Axial slices at even distances, from the lowest to the highest.

        Args:
            rows: of slices.
            columns: of slices.
        """
        turned = self._turn("axial")
        height, width = turned.image.shape[:2]
        figure = Figure(
            figsize=(2.0 * columns, 2.0 * rows * height * turned.aspect / width + 0.8),
            facecolor="black",
            layout="constrained",
        )
        grid = np.atleast_2d(figure.subplots(rows, columns))
        edge = turned.image.shape[2] / (rows * columns + 1)
        for axis, k in zip(grid.flat, np.linspace(edge, turned.image.shape[2] - 1 - edge, grid.size), strict=True):
            self._draw(axis, "axial", round(float(k)))
        self._color_bar(figure, list(grid.flat))
        return figure

    def views(self, points: Mapping[str, Sequence[float]]) -> Figure:
        """Three planes through each place, without the map and with it.

        Args:
            points: places in millimetres, by their titles.
        """
        shapes = [self._turn(plane).image.shape[0] * self._turn(plane).aspect for plane in PLANES]
        widths = [self._turn(plane).image.shape[1] for plane in PLANES]
        height = 12 / (2 * sum(width / shape for width, shape in zip(widths, shapes, strict=True)))
        figure = Figure(figsize=(12, (height + 0.3) * len(points) + 0.8), facecolor="black", layout="constrained")
        ratios = [width / shape for width, shape in zip(widths, shapes, strict=True)] * 2
        grid = figure.subplots(len(points), 6, squeeze=False, width_ratios=ratios)
        for row, (title, point) in zip(grid, points.items(), strict=True):
            for column, plane in enumerate([*PLANES, *PLANES]):
                self._draw(row[column], plane, int(self._turn(plane).index(point)[2]), column >= 3, point)
            row[0].set_title(title, color=TEXT, fontsize=9, loc="left")
        self._color_bar(figure, list(grid.flat))
        return figure

    def _turn(self, plane: str) -> _Turned:
        """The head turned to a plane, cropped to its mask; in-plane voxels are squares of the columns' size."""
        if plane not in self.turned:
            stack = cast(MetaTensor, Orientation(PLANE_AXCODES[plane], labels=None)(self.stack))
            spacing = affine_to_spacing(stack.affine).tolist()
            where = np.argwhere(np.asarray(stack[3]) > 0)
            margins = np.array([round(MARGIN_MM / mm) for mm in spacing[:2]] + [0])
            low = np.maximum(where.min(axis=0) - margins, 0)
            high = np.minimum(where.max(axis=0) + margins + 1, stack.shape[1:])
            box = np.asarray(stack)[:, low[0] : high[0], low[1] : high[1], low[2] : high[2]]
            affine = np.asarray(stack.affine, dtype=np.float64).copy()
            affine[:3, 3] += affine[:3, :3] @ low
            self.turned[plane] = _Turned(box[0], box[1], box[2], affine, spacing[0] / spacing[1])
        return self.turned[plane]

    def _draw(self, axis: Axes, plane: str, k: int, mapped: bool = True, cross: Sequence[float] | None = None) -> None:
        """One slice, with its letters and its millimetres."""
        turned, (left, right, across, name) = self._turn(plane), PLANES[plane]
        axis.set_facecolor("black")
        axis.set_xticks([])
        axis.set_yticks([])
        low, high = self.window
        axis.imshow(turned.image[..., k], cmap="gray", vmin=low, vmax=high, aspect=turned.aspect)
        if mapped:
            shown = np.ma.masked_less_equal(turned.values[..., k], self.line)
            axis.imshow(shown, cmap=COLORS, norm=self.norm, alpha=0.75, aspect=turned.aspect, interpolation="nearest")
            self._outline(axis, turned.regions[..., k])
        if cross is not None:
            row, column, _ = turned.index(cross)
            height, width = turned.image.shape[:2]
            style: dict[str, Any] = {"color": TEXT, "linewidth": 0.6, "alpha": 0.8}
            axis.hlines(row, 0, 0.12 * width, **style)
            axis.hlines(row, 0.88 * width, width - 1, **style)
            axis.vlines(column, 0, 0.12 * height, **style)
            axis.vlines(column, 0.88 * height, height - 1, **style)
        for x, text, side in ((0.01, left, "left"), (0.99, right, "right")):
            axis.text(x, 0.98, text, color=TEXT, fontsize=8, ha=side, va="top", transform=axis.transAxes)
        text = f"{name} {turned.millimetres(k, across):.0f} mm"
        axis.text(0.01, 0.01, text, color=TEXT, fontsize=7, transform=axis.transAxes)

    @staticmethod
    def _outline(axis: Axes, regions: NDArray[np.floating]) -> None:
        """Outlines of the regions, each with its number."""
        for number in np.unique(regions[regions > 0]):
            there = regions == number
            if min(there.shape) > 1:
                axis.contour(there, levels=[0.5], colors=OUTLINE, linewidths=0.9)
            row, column = np.argwhere(there)[0]
            axis.annotate(
                f"{number:.0f}",
                (column, row),
                (-2, 3),
                textcoords="offset points",
                color=OUTLINE,
                fontsize=8,
                ha="right",
            )

    def _color_bar(self, figure: Figure, axes: list[Axes]) -> None:
        bar = figure.colorbar(
            self.colors, ax=axes, location="bottom", shrink=0.55, aspect=50, pad=0.01, ticks=list(self.ticks)
        )
        bar.ax.set_xticklabels(list(self.ticks.values()), color=TEXT, fontsize=8)
        bar.ax.tick_params(color=TEXT)
        bar.set_label(self.label, color=TEXT, fontsize=9)
