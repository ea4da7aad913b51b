# SPDX-License-Identifier: Apache-2.0
"""Figures of the demo: the cohort, the training curve, and one head clean, damaged and restored."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from monai.data import MetaTensor
from monai.transforms import Orientation
from numpy.typing import NDArray

from ..files.atomic import replacing
from ..metrics.restoration import peak_signal_to_noise_ratio
from ..transforms.plane import PLANE_AXCODES
from .page import figure_png

__all__ = ["cohort_figure", "curve_figure", "restoration_figure", "save_figure", "slice_view"]

INK = "#8a8f98"
"""Colour of lines and text that is readable on a light and on a dark page."""
COLORS = ("#3b82c4", "#d9822b", "#4c9f70", "#b3528f")
ERROR_LIMIT = 0.3
"""Absolute error at the bright end of the colours, in units of the clean head's 99.5th percentile."""

Image = NDArray[np.floating]


def slice_view(volume: MetaTensor, plane: str, position: int | float) -> Image:
    """One slice of a volume, the top of the head or the nose up.

    Args:
        volume: shape ``(1, X, Y, Z)`` in any orientation.
        plane: ``"sagittal"``, ``"coronal"`` or ``"axial"``.
        position: index of the slice, or its relative position in the volume as a float in [0, 1].

    Returns:
        Shape ``(rows, columns)``.
    """
    oriented = Orientation(axcodes=PLANE_AXCODES[plane], labels=None)(volume)[0]
    index = round(position * (oriented.shape[2] - 1)) if isinstance(position, float) else position
    return oriented[:, :, index].numpy()


def cohort_figure(heads: Mapping[str, MetaTensor], columns: int = 6) -> Figure:
    """Sagittal and axial slice of each head, on black.

    Args:
        heads: volumes in network space, shape ``(1, X, Y, Z)``, by their caption.
        columns: heads in a row, at most.
    """
    views = [(name, _on_black(head)) for name, head in heads.items()]
    columns = min(columns, len(views))
    rows = -(-len(views) // columns)
    figure = Figure(figsize=(2.1 * columns, 3.4 * rows), facecolor="black", layout="constrained")
    axes = np.atleast_2d(figure.subplots(rows, columns))
    for axis in axes.flat:
        axis.axis("off")
    for axis, (name, view) in zip(axes.flat, views, strict=False):
        axis.imshow(view, cmap="gray", vmin=0, vmax=1)
        axis.set_title(name, color="#c8ccd2", fontsize=9)
    return figure


def _on_black(head: MetaTensor) -> Image:
    """Sagittal slice above axial slice, padded to one width."""
    views = [slice_view(head, "sagittal", 0.5), slice_view(head, "axial", 0.5)]
    width = max(view.shape[1] for view in views)
    margins = [(width - view.shape[1]) / 2 for view in views]
    padded = [np.pad(v, ((0, 0), (int(np.floor(m)), int(np.ceil(m))))) for v, m in zip(views, margins, strict=True)]
    return np.concatenate(padded)


def curve_figure(history: Mapping[str, Sequence[float]], ylabel: str) -> Figure:
    """Loss by epoch, one line for each entry, on a transparent ground.

    Args:
        history: values of the epochs 1, 2, ... by the name of the line.
        ylabel: label of the axis of values.
    """
    figure = Figure(figsize=(7, 3), facecolor="none", layout="constrained")
    axis = figure.subplots()
    axis.set_facecolor("none")
    for color, (name, values) in zip(COLORS, history.items(), strict=False):
        axis.plot(range(1, len(values) + 1), values, "o-", color=color, label=name, markersize=4)
    axis.set_yscale("log")
    axis.set_xlabel("epoch", color=INK)
    axis.set_ylabel(ylabel, color=INK)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.tick_params(which="both", colors=INK)
    axis.grid(which="both", color=INK, alpha=0.2, linewidth=0.6)
    for spine in axis.spines.values():
        spine.set_color(INK)
    axis.legend(labelcolor=INK, frameon=False)
    return figure


def restoration_figure(
    clean: MetaTensor, damaged: MetaTensor, restored: MetaTensor, views: Sequence[tuple[str, int | float]]
) -> Figure:
    """Rows of clean, damaged, restored and absolute error of the restored; on black.

    Args:
        clean: network space (1 is the clean head's 99.5th percentile), shape ``(1, X, Y, Z)``.
        damaged: the same head, damaged, in the same unit.
        restored: the same head, restored, in the same unit.
        views: plane and position of each row (see :func:`slice_view`).
    """
    sizes = [slice_view(clean, plane, position).shape for plane, position in views]
    heights = [rows / columns for rows, columns in sizes]
    figure = Figure(figsize=(9.6, 2.4 * sum(heights) + 0.35), facecolor="black")
    grid = figure.add_gridspec(
        len(views), 4, height_ratios=heights, left=0, right=1, bottom=0, top=1 - 0.35 / figure.get_figheight(),
        wspace=0.01, hspace=0.01,
    )  # fmt: skip
    for row, (plane, position) in enumerate(views):
        images = [slice_view(volume, plane, position) for volume in (clean, damaged, restored)]
        images.append(np.abs(images[2] - images[0]))
        titles = ("clean", "damaged", "restored", f"absolute error, 0 to {ERROR_LIMIT:g}")
        for column, image in enumerate(images):
            axis = figure.add_subplot(grid[row, column])
            _show(axis, image, is_error=column == 3)
            if row == 0:
                axis.set_title(titles[column], color="#c8ccd2", fontsize=10)
            if column in (1, 2):
                error = float(np.mean((image - images[0]) ** 2))
                axis.text(0.03, 0.03, f"{peak_signal_to_noise_ratio(error):.1f} dB", color="#f2c14e",
                          transform=axis.transAxes, bbox={"facecolor": "black", "pad": 1.5})  # fmt: skip
    return figure


def _show(axis: Axes, image: Image, is_error: bool) -> None:
    axis.imshow(image, cmap="inferno" if is_error else "gray", vmin=0, vmax=ERROR_LIMIT if is_error else 1)
    axis.axis("off")


def save_figure(figure: Figure, path: Path, colors: int = 128, maps: Mapping[str, int] | None = None) -> None:
    """Write a small PNG (one byte per pixel); the same picture gives the same file.

    Args:
        figure: figure to write.
        path: PNG file; its folder is created if it does not exist.
        colors: size of the palette, at most 256, which is chosen for this picture.
        maps: colour maps with the number of colours that are taken of each, instead of a palette of the picture's own,
            in which colours that are rare, such as those of the ends of a scale, have no place.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = PIL.Image.open(io.BytesIO(figure_png(figure))).convert("RGB")
    if maps is None:
        reduced = picture.quantize(colors, dither=PIL.Image.Dither.NONE)
    else:
        palette = PIL.Image.new("P", (1, 1))
        taken = [colormaps[name](np.linspace(0, 1, number), bytes=True)[:, :3] for name, number in maps.items()]
        palette.putpalette(np.concatenate(taken).ravel().tolist())
        reduced = picture.quantize(palette=palette, dither=PIL.Image.Dither.NONE)
    with replacing(path) as partial:
        reduced.save(partial, format="PNG", optimize=True)
