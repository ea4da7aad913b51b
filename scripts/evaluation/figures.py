# SPDX-License-Identifier: Apache-2.0
"""Figures of the evaluation report, drawn without a display."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

__all__ = ["METHOD_LABELS", "example_figure", "method_label", "severity_figure", "subjects_figure"]

METHOD_LABELS = {
    "network": "trained network",
    "input": "input as it is",
    "median": "3 x 3 median",
    "non_local_means": "non-local means",
    "biharmonic": "biharmonic, told the holes",
    "pca": "principal components",
    "published": "published thesis weights",
}
COLOURS = ("#0072b2", "#7f7f7f", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
"""Colour-blind safe, after Okabe and Ito."""
MARKERS = "osD^vPX"
ERROR_SHOWN = 0.25
"""Error at which the error maps saturate, 1 = the volume's 99.5th percentile."""


def method_label(name: str) -> str:
    """Name of a method as the report prints it."""
    return METHOD_LABELS.get(name, name.replace("_", " "))


def severity_figure(summary: pd.DataFrame, regions: Mapping[str, str]) -> Figure | None:
    """PSNR against severity with 95 % intervals: a row per region, a column per kind of damage.

    Args:
        summary: summary table of the evaluation.
        regions: titles of the regions, by name.

    Returns:
        The figure; ``None`` if no kind has a severity.
    """
    psnr = summary[(summary["metric"] == "psnr") & (summary["severity"] > 0) & summary["region"].isin(list(regions))]
    if psnr.empty:
        return None
    kinds, methods = list(psnr["corruption"].unique()), list(psnr["method"].unique())
    figure = Figure(figsize=(1.2 + 2.6 * len(kinds), 0.9 + 2.5 * len(regions)), layout="constrained")
    axes = figure.subplots(len(regions), len(kinds), squeeze=False, sharex=True)
    for row, (region, title) in zip(axes, regions.items(), strict=True):
        for axis, kind in zip(row, kinds, strict=True):
            for number, method in enumerate(methods):
                part = psnr[(psnr["region"] == region) & (psnr["corruption"] == kind) & (psnr["method"] == method)]
                below, above = part["mean"] - part["ci_low"], part["ci_high"] - part["mean"]
                axis.errorbar(
                    part["severity"] + 0.06 * (number - len(methods) / 2),
                    part["mean"],
                    yerr=np.nan_to_num([below, above]),
                    color=COLOURS[number % len(COLOURS)],
                    marker=MARKERS[number % len(MARKERS)],
                    markersize=4,
                    linewidth=1.6 if number == 0 else 1,
                    capsize=2,
                    label=method_label(method),
                )
            axis.set_title(f"{kind.replace('_', ' ')}, {title}", fontsize=9)
            axis.set_xticks(sorted(psnr["severity"].unique()))
            _plain(axis)
        row[0].set_ylabel("PSNR (dB)")
    for axis in axes[-1]:
        axis.set_xlabel("severity")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(methods), fontsize=8, frameon=False)
    return figure


def subjects_figure(metrics: pd.DataFrame, kind: str, severity: int, regions: Mapping[str, str]) -> Figure:
    """PSNR of each subject under one kind of damage: dots, joined for each subject, and a bar at the mean."""
    part = metrics[(metrics["corruption"] == kind) & (metrics["severity"] == severity)]
    methods = list(part["method"].unique())
    figure = Figure(figsize=(1 + 1.1 * len(methods) * len(regions), 3.4), layout="constrained")
    axes = figure.subplots(1, len(regions), squeeze=False)[0]
    for axis, (region, title) in zip(axes, regions.items(), strict=True):
        table = part[part["region"] == region].pivot_table(index="subject", columns="method", values="psnr")[methods]
        table = table.replace(np.inf, np.nan)
        jitter = np.linspace(-0.12, 0.12, len(table)) if len(table) > 1 else np.zeros(1)
        places = np.arange(len(methods))[:, None] + jitter  # (methods, subjects)
        axis.plot(places, table.to_numpy().T, color="#00000018", linewidth=0.7, zorder=1)
        for number, method in enumerate(methods):
            values = table[method].to_numpy()
            axis.scatter(places[number], values, s=14, color=COLOURS[number % len(COLOURS)], zorder=2, linewidths=0)
            axis.hlines(np.nanmean(values), number - 0.28, number + 0.28, color="black", linewidth=1.4, zorder=3)
        axis.set_xticks(range(len(methods)), [textwrap.fill(method_label(m), 12) for m in methods], fontsize=8)
        axis.set_ylabel(f"PSNR (dB), {title}")
        _plain(axis)
    return figure


def example_figure(images: Mapping[str, Tensor]) -> Figure:
    """One slice: clean, damaged and restored by each method, with the absolute error below.

    Args:
        images: images ``(H, W)`` by name, the clean one first; 1 = the volume's 99.5th percentile.
    """
    names = list(images)
    clean = images[names[0]]
    height, width = clean.shape
    figure = Figure(figsize=(2.1 * len(names), 4.2 * height / width + 0.4), layout="constrained")
    shown, errors = figure.subplots(2, len(names), squeeze=False)
    for name, top, bottom in zip(names, shown, errors, strict=True):
        top.imshow(images[name].numpy(), cmap="gray", vmin=0, vmax=1.1, interpolation="nearest")
        top.set_title(method_label(name), fontsize=9)
        top.axis("off")
        bottom.axis("off")
        if name == names[0]:
            bottom.text(0.5, 0.5, f"absolute error,\nblack 0, yellow {ERROR_SHOWN:g}\nor more", ha="center", fontsize=9)
            continue
        error = (images[name] - clean).abs().numpy()
        bottom.imshow(error, cmap="inferno", vmin=0, vmax=ERROR_SHOWN, interpolation="nearest")
        decibels = -10 * np.log10(max(float((error**2).mean()), 1e-12))
        bottom.set_title(f"{decibels:.1f} dB" if decibels < 119 else "no error", fontsize=9)
    return figure


def _plain(axis: object) -> None:
    axis.grid(alpha=0.25)  # type: ignore[attr-defined]
    axis.spines[["top", "right"]].set_visible(False)  # type: ignore[attr-defined]
    axis.tick_params(labelsize=8)  # type: ignore[attr-defined]
