# SPDX-License-Identifier: Apache-2.0
"""Pictures of segmentations and of how uncertain they are, drawn without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from monai.metrics.calibration import calibration_binning
from numpy.typing import NDArray

from ...latent.figures import TISSUE_COLOURS
from .measures import BINS
from .segmented_part import SegmentedPart

__all__ = ["NAMES", "calibration_figure", "correlation_figure", "map_figure"]

NAMES = {"crisp": "CRISP", "entropy": "entropy", "mc_dropout": "MC dropout", "edge": "edge"}
COLOURS = {"crisp": "#d55e00", "entropy": "#0072b2", "mc_dropout": "#009e73", "edge": "#7f7f7f"}


def map_figure(part: SegmentedPart, rows: Sequence[int], titles: Sequence[str]) -> Figure:
    """Image, label, prediction, error and the map of each method; a row for each slice, maps from 0 to 1.

    Args:
        part: the slices.
        rows: which of them.
        titles: beside each row.
    """
    columns = ["image", "label", "prediction", "error", *(NAMES[method] for method in part.maps)]
    figure = Figure(figsize=(0.9 + 1.05 * len(columns), 0.3 + 1.05 * len(rows)))
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    tissue = {"cmap": TISSUE_COLOURS, "vmin": 0, "vmax": 3}
    share = {"cmap": "inferno", "vmin": 0, "vmax": 1}
    for line, row, title in zip(axes, rows, titles, strict=True):
        shown = [
            (part.images[row, 0], {"cmap": "gray", "vmin": 0, "vmax": 1}),
            (part.label[row], tissue),
            (part.predicted[row], tissue),
            (part.error[row], share),
            *((maps[row], share) for maps in part.maps.values()),
        ]
        for axis, (values, settings) in zip(line, shown, strict=True):
            axis.imshow(values.numpy(), interpolation="nearest", **settings)
            axis.set(xticks=[], yticks=[], frame_on=False)
        line[0].set_ylabel(title, fontsize=7)
    for axis, column in zip(axes[0], columns, strict=True):
        axis.set_title(column, fontsize=8)
    figure.subplots_adjust(left=0.06, right=0.99, bottom=0.01, top=0.95, wspace=0.04, hspace=0.04)
    return figure


def correlation_figure(uncertainty: Mapping[str, NDArray[np.float64]], error: NDArray[np.float64]) -> Figure:
    """Error of each slice (1 - Dice) against its uncertainty, a panel for each method."""
    figure = Figure(figsize=(2.4 * len(uncertainty), 2.5), layout="constrained")
    for axis, (method, values) in zip(
        figure.subplots(1, len(uncertainty), squeeze=False)[0], uncertainty.items(), strict=True
    ):
        axis.plot(values, error, ".", color=COLOURS[method], markersize=2, alpha=0.5)
        axis.set_title(NAMES[method], fontsize=8)
        axis.set_xlabel("uncertainty", fontsize=7)
        axis.set_ylabel("1 - Dice", fontsize=7)
        axis.tick_params(labelsize=6)
    return figure


def calibration_figure(part: SegmentedPart) -> Figure:
    """Share of right pixels against 1 - uncertainty in 20 bins, pixels of all subjects together."""
    brain = (part.predicted > 0) | (part.label > 0)
    right = (~part.error)[brain][None, None].float()
    figure = Figure(figsize=(3.6, 3.2), layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=1)
    for method, maps in part.maps.items():
        confidence, accuracy, _ = calibration_binning((1 - maps)[brain][None, None], right, num_bins=BINS)
        known = torch.isfinite(confidence[0, 0])
        axis.plot(confidence[0, 0][known], accuracy[0, 0][known], "o-", markersize=3, color=COLOURS[method])
    axis.legend(["calibrated", *(NAMES[method] for method in part.maps)], fontsize=7)
    axis.set_xlabel("1 - uncertainty", fontsize=8)
    axis.set_ylabel("share of pixels that are right", fontsize=8)
    return figure
