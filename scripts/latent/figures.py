# SPDX-License-Identifier: Apache-2.0
"""Pictures of masks, slices and codes, drawn without a display, and stacks of them as NIfTI files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..files.atomic import replacing
from ..transforms.plane import plane_axcodes

__all__ = ["code_figure", "conditional_figure", "mask_grid", "save_stack", "slice_grid"]

TISSUE_COLOURS = ListedColormap(["#000000", "#e69f00", "#8c8c8c", "#f2f2f2"])  # background, ventricle, grey, white
TITLE_INCHES = 1.5
AXES = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
"""Row of an affine and its sign, by the direction in which an index grows."""


def mask_grid(
    rows: Sequence[NDArray[np.uint8]],
    row_titles: Sequence[str] = (),
    column_titles: Sequence[str] = (),
    size: float = 0.9,
) -> Figure:
    """Masks in rows and columns; anterior is at the top, the subject's right on the left.

    Args:
        rows: masks ``(columns, H, W)`` of each row.
        row_titles: titles beside the rows.
        column_titles: titles above the columns.
        size: side of a mask in inches.
    """
    return _grid(rows, row_titles, column_titles, size, {"cmap": TISSUE_COLOURS, "vmin": 0, "vmax": 3})


def slice_grid(
    rows: Sequence[NDArray[np.floating]],
    row_titles: Sequence[str] = (),
    column_titles: Sequence[str] = (),
    size: float = 1.3,
) -> Figure:
    """T1-weighted slices in rows and columns, 0 black and 1 white. Arguments as of :func:`mask_grid`."""
    return _grid(rows, row_titles, column_titles, size, {"cmap": "gray", "vmin": 0, "vmax": 1})


def _grid(
    rows: Sequence[NDArray],
    row_titles: Sequence[str],
    column_titles: Sequence[str],
    size: float,
    shading: Mapping[str, Any],
) -> Figure:
    columns = max(len(row) for row in rows)
    left, top = TITLE_INCHES * bool(row_titles), 0.3 * bool(column_titles)
    width, height = left + size * columns, top + size * len(rows)
    figure = Figure(figsize=(width, height))
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for i, line in enumerate(axes):
        for j, axis in enumerate(line):
            axis.set_xticks([])
            axis.set_yticks([])
            axis.set_frame_on(False)
            if j < len(rows[i]):
                axis.imshow(rows[i][j], interpolation="nearest", **shading)
            if j == 0 and row_titles:
                axis.set_ylabel(row_titles[i], rotation=0, ha="right", va="center", fontsize=8)
            if i == 0 and column_titles:
                axis.set_title(column_titles[j], fontsize=7)
    edges = {"left": left / width, "right": 0.995, "bottom": 0.005, "top": 0.995 - top / height}
    figure.subplots_adjust(**edges, wspace=0.04, hspace=0.04)
    return figure


def code_figure(matrix: NDArray[np.float64], names: Sequence[str], kl: Sequence[float] = ()) -> Figure:
    """Rank correlations of attributes and dimensions as a heat map, above the divergence of each dimension.

    Args:
        matrix: rank correlations ``(L, K)``.
        names: names of the attributes.
        kl: divergence of each dimension in nats; nothing is drawn if it is empty.
    """
    figure = Figure(
        figsize=(2.2 + 0.42 * matrix.shape[1], 1.0 + 0.34 * len(names) + 1.4 * bool(len(kl))), layout="constrained"
    )
    if len(kl):
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[0.34 * len(names), 1.4])
        bottom.bar(range(len(kl)), kl, color="#0072b2")
        bottom.set_ylabel("KL (nats)", fontsize=8)
    else:
        top = bottom = figure.subplots()
    image = top.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    top.set_yticks(range(len(names)), [name.replace("_", " ") for name in names], fontsize=8)
    for (i, j), value in np.ndenumerate(matrix):
        if abs(value) >= 0.5:
            top.text(j, i, f"{value:.2f}".replace("0.", "."), ha="center", va="center", fontsize=6, color="white")
    bottom.set_xticks(range(matrix.shape[1]))
    bottom.set_xlabel("latent dimension", fontsize=8)
    figure.colorbar(image, ax=top, label="Spearman")
    return figure


def conditional_figure(
    wanted: Sequence[NDArray[np.float64]], measured: Sequence[NDArray[np.float64]], names: Sequence[str]
) -> Figure:
    """Measured against wanted attribute values of conditional samples, one panel per attribute."""
    figure = Figure(figsize=(2.3 * len(names), 2.4), layout="constrained")
    for axis, name, x, y in zip(figure.subplots(1, len(names), squeeze=False)[0], names, wanted, measured, strict=True):
        axis.plot(x, y, ".", color="#0072b2", markersize=2, alpha=0.5)
        ends = [x.min(), x.max()] if len(x) else []  # every sample may have been refused
        axis.plot(ends, ends, color="#7f7f7f", linewidth=1)
        axis.set_title(name.replace("_", " "), fontsize=8)
        axis.tick_params(labelsize=6)
        axis.set_xlabel("wanted", fontsize=7)
    return figure


def save_stack(images: NDArray, spacing_mm: Sequence[float], path: Path, plane: str = "axial") -> None:
    """Write images as one volume, so that a viewer can scroll through them.

    Args:
        images: slices ``(N, H, W)``, rows and columns as in :data:`scripts.transforms.PLANE_AXCODES`.
        spacing_mm: height and width of a pixel; the third axis counts images, not mm.
        path: ``.nii.gz`` file.
        plane: plane of the slices.
    """
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for axis, (letter, size) in enumerate(zip(plane_axcodes(plane), (*spacing_mm, 1.0), strict=True)):
        row, sign = AXES[letter]
        affine[row, axis] = sign * size
    with replacing(path) as partial:
        nib.save(nib.Nifti1Image(np.moveaxis(images, 0, 2), affine), partial)
