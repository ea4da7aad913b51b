# SPDX-License-Identifier: Apache-2.0
"""Pictures of attributes along the slices of a head, drawn without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..attributes import UNITS

__all__ = ["profile_figure"]

COLOURS = ("#7f7f7f", "#d55e00", "#0072b2")
COLUMNS = 4


def profile_figure(
    level: NDArray[np.float64], profiles: Mapping[str, NDArray[np.float64]], names: Sequence[str], at: int
) -> Figure:
    """One panel for each attribute, one curve for each profile.

    Args:
        level: of the slices, ``(T,)``.
        profiles: up to three, ``(T, L)``, by what they are called in the legend.
        names: of the attributes.
        at: a slice to mark.
    """
    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(2.6 * min(COLUMNS, len(names)), 2.1 * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, min(COLUMNS, len(names)), squeeze=False).ravel()
    for column, (axis, name) in enumerate(zip(axes, names, strict=False)):
        for (label, profile), colour in zip(profiles.items(), COLOURS, strict=False):
            axis.plot(level, profile[:, column], color=colour, linewidth=1.2, marker=".", markersize=3, label=label)
        axis.axvline(level[at], color="#000000", linewidth=0.5, linestyle=":")
        unit = UNITS[name]
        axis.set_title(name.replace("_", " ") + (f" ({unit})" if unit else ""), fontsize=8)
        axis.tick_params(labelsize=6)
        axis.set_xlabel("level", fontsize=7)
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(profiles), fontsize=8)
    return figure
