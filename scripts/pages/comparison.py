# SPDX-License-Identifier: Apache-2.0
"""Volumes of one head beside each other: columns of slices in several planes, a colour bar for each scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from monai.data import MetaTensor
from numpy.typing import NDArray
from torch import Tensor

from .turned_head import TEXT, TurnedHead, turned_head

__all__ = ["ColorScale", "Column", "comparison_figure", "difference_scale", "image_scale", "sd_scale"]

BAR_MM = 50
"""Length of the bar that is drawn for scale."""
INCHES = 2.2
"""Width of a column."""
ENDS = 0.25
"""Share of the slices of a plane at either end that are not shown."""


@dataclass(frozen=True)
class ColorScale:
    """What the colours of some columns mean."""

    colors: str
    """Name of a colour map."""
    low: float
    high: float
    label: str


@dataclass(frozen=True)
class Column:
    """One volume of a comparison."""

    title: str
    volume: Tensor
    """``(X, Y, Z)``; NaN is black."""
    scale: ColorScale
    """Neighbouring columns of the same scale share a colour bar."""


def image_scale(low: float, high: float, label: str) -> ColorScale:
    """Grey, as heads are looked at."""
    return ColorScale("gray", low, high, label)


def difference_scale(limit: float, label: str) -> ColorScale:
    """Blue is darker, red brighter, white no change."""
    return ColorScale("RdBu_r", -limit, limit, label)


def sd_scale(limit: float, label: str) -> ColorScale:
    """From black, certain, to bright."""
    return ColorScale("inferno", 0.0, limit, label)


def comparison_figure(
    columns: Sequence[Column],
    affine: NDArray[np.floating] | Tensor,
    mask: Tensor,
    change: Tensor,
    planes: Sequence[str] = ("axial", "coronal", "sagittal"),
) -> Figure:
    """Draw volumes beside each other, one row a plane, in the slice of the largest change of the middle half.

    Args:
        columns: the volumes.
        affine: of all of them, ``(4, 4)``.
        mask: what is worth showing, ``(X, Y, Z)``.
        change: what chooses the slices, ``(X, Y, Z)``; where it is 0 all over, they are those in the middle.
        planes: of the rows.
    """
    if not mask.any():
        mask = torch.ones_like(mask)
    stack = torch.stack([*(one.volume.float() for one in columns), change.float(), mask.float()])
    views = [_view(turned_head(MetaTensor(stack, affine=torch.as_tensor(affine)), plane)) for plane in planes]
    del stack
    heads = [head for head, _ in views]
    heights = [INCHES * head.volumes.shape[1] * head.aspect / head.volumes.shape[2] for head in heads]
    layout = ConstrainedLayoutEngine(w_pad=0.01, h_pad=0.02, wspace=0, hspace=0)
    figure = Figure(figsize=(INCHES * len(columns), sum(heights) + 0.95), facecolor="black", layout=layout)
    grid = figure.subplots(len(heads), len(columns), squeeze=False, height_ratios=heights)
    for row, (head, k) in zip(grid, views, strict=True):
        for axis, column, volume in zip(row, columns, head.volumes, strict=False):
            _show(axis, column.scale, head, volume[..., 0])
            head.write_place(axis, k)
    for axis, column in zip(grid[0], columns, strict=True):
        axis.set_title(column.title, color=TEXT, fontsize=9)
    _write_length(grid[0, 0], heads[0])
    for scale in dict.fromkeys(column.scale for column in columns):
        where = [number for number, column in enumerate(columns) if column.scale == scale]
        _add_bar(figure, scale, list(grid[:, where].flat), len(where))
    return figure


def _view(head: TurnedHead) -> tuple[TurnedHead, int]:
    """The slice to be shown alone, so that the rest can be dropped, and its number."""
    k = _slice_of(head.volumes[-1])
    return replace(head, volumes=head.volumes[..., k : k + 1].copy()), k


def _slice_of(change: NDArray[np.floating]) -> int:
    """The slice of the largest change of the middle half."""
    amounts = np.square(change).sum(axis=(0, 1))
    skipped = int(ENDS * len(amounts))
    inner = amounts[skipped : len(amounts) - skipped]
    return skipped + int(inner.argmax()) if inner.any() else len(amounts) // 2


def _show(axis: Axes, scale: ColorScale, head: TurnedHead, image: NDArray[np.floating]) -> None:
    axis.set_facecolor("black")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.imshow(image, cmap=scale.colors, vmin=scale.low, vmax=scale.high, aspect=head.aspect, interpolation="nearest")


def _write_length(axis: Axes, head: TurnedHead) -> None:
    """A bar of known length."""
    height, width = head.volumes.shape[1:3]
    length = BAR_MM / head.column_mm
    if length < width:
        y = 0.965 * height
        axis.plot([0.97 * width - length, 0.97 * width], [y, y], color=TEXT, linewidth=2)
        axis.text(0.97 * width - length / 2, y - 0.02 * height, f"{BAR_MM} mm", color=TEXT, fontsize=7, ha="center")


def _add_bar(figure: Figure, scale: ColorScale, axes: list[Axes], columns: int) -> None:
    colors = ScalarMappable(Normalize(scale.low, scale.high), scale.colors)
    bar = figure.colorbar(
        colors, ax=axes, location="bottom", shrink=min(1.0, 0.45 + 0.45 / columns), aspect=22 * columns**0.5, pad=0.01
    )
    bar.ax.tick_params(color=TEXT, labelcolor=TEXT, labelsize=7)
    bar.ax.locator_params(nbins=5)
    bar.set_label(scale.label, color=TEXT, fontsize=8)
