# SPDX-License-Identifier: Apache-2.0
"""Slices of a head with a map over them, as radiologists look at them: the right side of the head on the left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from monai.data import MetaTensor
from numpy.typing import NDArray
from torch import Tensor

from .turned_head import PLANES, TEXT, TurnedHead, turned_head

__all__ = ["MappedHead"]

COLORS, OUTLINE = "autumn", "#35e0ff"


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
        self.turned: dict[str, TurnedHead] = {}

    def montage(self, rows: int = 4, columns: int = 6) -> Figure:
        """Axial slices at even distances, from the lowest to the highest.

        Args:
            rows: of slices.
            columns: of slices.
        """
        turned = self._turn("axial")
        height, width, slices = turned.volumes.shape[1:]
        figure = Figure(
            figsize=(2.0 * columns, 2.0 * rows * height * turned.aspect / width + 0.8),
            facecolor="black",
            layout="constrained",
        )
        grid = np.atleast_2d(figure.subplots(rows, columns))
        edge = slices / (rows * columns + 1)
        for axis, k in zip(grid.flat, np.linspace(edge, slices - 1 - edge, grid.size), strict=True):
            self._draw(axis, "axial", round(float(k)))
        self._color_bar(figure, list(grid.flat))
        return figure

    def views(self, points: Mapping[str, Sequence[float]]) -> Figure:
        """Three planes through each place, without the map and with it.

        Args:
            points: places in millimetres, by their titles.
        """
        shapes = [self._turn(plane).volumes.shape[1] * self._turn(plane).aspect for plane in PLANES]
        widths = [self._turn(plane).volumes.shape[2] for plane in PLANES]
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

    def _turn(self, plane: str) -> TurnedHead:
        if plane not in self.turned:
            self.turned[plane] = turned_head(self.stack, plane)
        return self.turned[plane]

    def _draw(self, axis: Axes, plane: str, k: int, mapped: bool = True, cross: Sequence[float] | None = None) -> None:
        """One slice, with its letters and its millimetres."""
        turned = self._turn(plane)
        image, values, regions = turned.volumes[..., k]
        axis.set_facecolor("black")
        axis.set_xticks([])
        axis.set_yticks([])
        low, high = self.window
        axis.imshow(image, cmap="gray", vmin=low, vmax=high, aspect=turned.aspect)
        if mapped:
            shown = np.ma.masked_less_equal(values, self.line)
            axis.imshow(shown, cmap=COLORS, norm=self.norm, alpha=0.75, aspect=turned.aspect, interpolation="nearest")
            self._outline(axis, regions)
        if cross is not None:
            row, column, _ = turned.index(cross)
            height, width = image.shape
            style: dict[str, Any] = {"color": TEXT, "linewidth": 0.6, "alpha": 0.8}
            axis.hlines(row, 0, 0.12 * width, **style)
            axis.hlines(row, 0.88 * width, width - 1, **style)
            axis.vlines(column, 0, 0.12 * height, **style)
            axis.vlines(column, 0.88 * height, height - 1, **style)
        turned.write_place(axis, k)

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
