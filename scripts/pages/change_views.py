# SPDX-License-Identifier: Apache-2.0
"""A head before and after: three planes through its middle, with what has changed."""

from __future__ import annotations

from typing import cast

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from monai.data import MetaTensor, affine_to_spacing
from monai.transforms import Orientation

from ..transforms.plane import PLANE_AXCODES

__all__ = ["change_figure"]

TEXT = "#e8eaed"
COLORS = LinearSegmentedColormap.from_list("change", ["#5db4ff", "#0b4a86", "black", "#8a3a06", "#ff9d4d"])
"""Darker is blue, brighter is orange."""
LIMIT = 0.3
"""Change at the ends of the colours, in units of the bright end of the head."""


def change_figure(before: MetaTensor, after: MetaTensor, uncertainty: MetaTensor) -> Figure:
    """Rows of planes; columns of the head before, after, the change, and the uncertainty of what is new; on black.

    Args:
        before: shape ``(1, X, Y, Z)``.
        after: same shape.
        uncertainty: standard deviation of each voxel of ``after``, same shape.
    """
    bright = max(float(np.percentile(np.asarray(before), 99.5)), 1e-30)
    old, new, deviation = (np.asarray(volume, dtype=np.float32) for volume in (before, after, uncertainty))
    stack = MetaTensor(np.concatenate([old, new, new - old, deviation]), affine=before.affine)
    gray, change = Normalize(min(0.0, float(old.min())), bright), Normalize(-LIMIT, LIMIT)
    columns = (
        ("as it came", "gray", gray, 1.0),
        ("restored", "gray", gray, 1.0),
        (f"change, -{LIMIT:g} to {LIMIT:g} of the bright end", COLORS, change, bright),
        (f"standard deviation, 0 to {LIMIT:g}", "inferno", Normalize(0, LIMIT), bright),
    )
    planes = [_middle(stack, plane) for plane in ("axial", "coronal", "sagittal")]
    heights = [images.shape[1] * aspect / images.shape[2] for images, aspect in planes]
    figure = Figure(figsize=(12, 3 * sum(heights) + 0.4), facecolor="black", layout="constrained")
    grid = figure.subplots(len(planes), len(columns), squeeze=False, height_ratios=heights)
    for axis, (title, *_) in zip(grid[0], columns, strict=True):
        axis.set_title(title, color=TEXT, fontsize=10)
    for row, (images, aspect) in zip(grid, planes, strict=True):
        for axis, image, (_, colors, norm, unit) in zip(row, images, columns, strict=True):
            axis.imshow(image / unit, cmap=colors, norm=norm, aspect=aspect)
            axis.axis("off")
    return figure


def _middle(stack: MetaTensor, plane: str) -> tuple[np.ndarray, float]:
    """The middle slice of each volume of a stack, ``(C, rows, columns)``, and how much higher than wide a pixel is."""
    turned = cast(MetaTensor, Orientation(PLANE_AXCODES[plane], labels=None)(stack))
    spacing = affine_to_spacing(turned.affine).tolist()
    return np.asarray(turned)[..., turned.shape[3] // 2], spacing[0] / spacing[1]
