# SPDX-License-Identifier: Apache-2.0
"""Figures of a benchmark: who beats whom, and curves over severity."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...evaluation.figures import COLOURS, MARKERS, example_figure, method_label
from .answers import PUBLISHED
from .examples import Example
from .values import Quantity
from .verdicts import Pairs

__all__ = ["curves_figure", "labelled_example", "matrix_figure"]

LABEL_WIDTH = 24

GREY = "#7f7f7f"
BROWN = "#a6761d"
BRIGHT = [colour for colour in COLOURS if colour != GREY]


def matrix_figure(pairs: Pairs, data: str, measure: Quantity, names: Sequence[str]) -> Figure:
    """Who beats whom: colour and figure are the gain of the row over the column, a star says that it is significant.

    Args:
        pairs: of the benchmark.
        data: kind of slices.
        measure: by which is compared.
        names: rows and columns, in this order; the best first reads best.
    """
    count = len(names)
    scale = 1 if measure.metric == "psnr" else 1000
    gains, stars = np.full((count, count), np.nan), np.zeros((count, count), dtype=bool)
    for i, a in enumerate(names):
        for j, b in enumerate(names):
            gain = pairs.gain(data, measure, a, b) if i != j else None
            if gain is not None:
                gains[i, j], stars[i, j] = scale * gain.mean, gain.significant
    limit = float(np.nanpercentile(np.abs(gains), 60)) if np.isfinite(gains).any() else 1.0
    side = 2.6 + 0.42 * count
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axis = figure.subplots()
    shown = axis.imshow(gains, cmap="RdBu", vmin=-limit, vmax=limit)
    labels = [method_label(name) for name in names]
    axis.set_xticks(range(count), labels, rotation=90, fontsize=7)
    axis.set_yticks(range(count), labels, fontsize=7)
    for i, j in zip(*np.nonzero(np.isfinite(gains)), strict=True):
        text = f"{gains[i, j]:+.1f}"
        strong = abs(gains[i, j]) > 0.6 * limit
        axis.text(
            j, i, text + ("*" if stars[i, j] else ""), ha="center", va="center", fontsize=5.5,
            color="white" if strong else "black",
        )  # fmt: skip
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    unit = "dB" if measure.metric == "psnr" else f"{measure.metric.upper()} x 1000"
    bar = figure.colorbar(shown, ax=axis, shrink=0.6, extend="both")
    bar.set_label(
        f"row better than column by ({unit}{'' if measure.metric == 'psnr' else ', figures x 1000'})", fontsize=8
    )
    bar.ax.tick_params(labelsize=7)
    return figure


def curves_figure(
    summary: pd.DataFrame, data: str, networks: Sequence[str], baselines: Sequence[str], region: str = "head"
) -> Figure | None:
    """PSNR against severity for each kind of damage.

    Networks have full lines, baselines broken ones, published weights dotted ones.

    Args:
        summary: of the benchmark.
        data: kind of slices.
        networks: models with a colour each.
        baselines: in grey, the published weights among them in brown.
        region: where.

    Returns:
        The figure; ``None`` where no kind has several severities.
    """
    rows = summary[(summary["data"] == data) & (summary["metric"] == "psnr") & (summary["region"] == region)]
    rows = rows[(rows["severity"] > 0) & np.isfinite(rows["mean"])]
    kinds = [kind for kind, part in rows.groupby("corruption", sort=False) if part["severity"].nunique() > 1]
    if not kinds:
        return None
    columns = min(4, len(kinds))
    figure = Figure(figsize=(1 + 2.7 * columns, 0.9 + 2.5 * -(-len(kinds) // columns)), layout="constrained")
    axes = figure.subplots(-(-len(kinds) // columns), columns, squeeze=False)
    for axis in axes.flat[len(kinds) :]:
        axis.remove()
    groups = {
        "-": (networks, BRIGHT),
        "--": ([name for name in baselines if not name.startswith(PUBLISHED)], (GREY,)),
        ":": ([name for name in baselines if name.startswith(PUBLISHED)], (BROWN,)),
    }
    lines = [
        (name, {"linestyle": style, "color": colours[i % len(colours)], "marker": MARKERS[i % len(MARKERS)]})
        for style, (names, colours) in groups.items()
        for i, name in enumerate(names)
    ]
    for axis, kind in zip(axes.flat, kinds, strict=False):
        here = rows[rows["corruption"] == kind]
        for name, look in lines:
            part = here[here["model"] == name].sort_values("severity")
            ends = np.nan_to_num([part["mean"] - part["ci_low"], part["ci_high"] - part["mean"]])
            axis.errorbar(
                part["severity"], part["mean"], ends,
                **look, markersize=4, linewidth=1.3, capsize=2, label=method_label(name),
            )  # fmt: skip
        axis.set_title(kind.replace("_", " "), fontsize=9)
        axis.set_xlabel("severity", fontsize=8)
        axis.set_xticks(sorted(here["severity"].unique()))
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    for row in axes:
        row[0].set_ylabel(f"PSNR in the {region} (dB)" if region != "whole" else "PSNR (dB)", fontsize=8)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return figure


def labelled_example(example: Example) -> Figure:
    """The slice of an example, with the names of the methods on several lines where they are long."""
    return example_figure({textwrap.fill(method_label(name), LABEL_WIDTH): i for name, i in example.images.items()})
