# SPDX-License-Identifier: Apache-2.0
"""The figure of rate and distortion: against the number of values, and against the number of bits."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

__all__ = ["best_rates", "rate_distortion_figure"]

LINES = {  # codec: label, colour (Okabe and Ito), marker
    "compressive_autoencoder": ("compressive autoencoder", "#0072b2", "o"),
    "pca": ("principal components, whole slices", "#e69f00", "s"),
    "block_pca": ("principal components, blocks of 8 x 8", "#009e73", "D"),
    "jpeg2000": ("JPEG 2000", "#d55e00", "^"),
}
POINT_MARKERS = "vPX*p<>hd8"
REGIONS = {"head": "inside the head", "whole": "whole slices"}


def rate_distortion_figure(summary: pd.DataFrame, region: str = "head") -> Figure:
    """PSNR against rate, with 95 % intervals over subjects.

    Left: latent values as they are, against their number; networks that were not made to compress are points. Right:
    quantised values, against the length of their code; of the three numbers of bits per value, what is best.

    Args:
        summary: table of :func:`scripts.studies.rate_distortion.measure.summarise_rates`.
        region: ``head`` or ``whole``.
    """
    psnr = summary[(summary["metric"] == "psnr") & (summary["region"] == region)]
    figure = Figure(figsize=(10.5, 4.6), layout="constrained")
    values, bits = figure.subplots(1, 2, sharey=True)
    plain = psnr[psnr["bits_per_value"] == 0]
    points = iter(POINT_MARKERS * len(plain))
    markers = {codec: next(points) for codec in plain["codec"].unique() if codec not in LINES}
    for codec in plain["codec"].unique():
        part = plain[plain["codec"] == codec].dropna(subset="values_per_pixel")
        if codec in LINES:
            _line(values, codec, part, "values_per_pixel")
        else:
            label = codec.replace("_", " ")
            values.plot(part["values_per_pixel"], part["mean"], markers[codec], color="#555", markersize=7, label=label)
    for codec in LINES:
        _line(bits, codec, best_rates(psnr[psnr["codec"] == codec].dropna(subset="bits_per_pixel")), "bits_per_pixel")
    for codec, marker in markers.items():
        part = best_rates(psnr[psnr["codec"] == codec].dropna(subset="bits_per_pixel"))
        if len(part):
            bits.plot(
                part["bits_per_pixel"], part["mean"], marker, color="#555", markersize=7, label=codec.replace("_", " ")
            )
    values.axvline(1, color="#999", linewidth=0.8, linestyle=":")
    values.annotate(
        " as many values as pixels", (1, 0), xycoords=("data", "axes fraction"), fontsize=7, color="#777",
        rotation=90, va="bottom", ha="right",
    )  # fmt: skip
    values.set_xlabel("values per pixel")
    bits.set_xlabel("bits per pixel, quantised and entropy coded")
    values.set_ylabel(f"PSNR (dB), {REGIONS.get(region, region)}")
    for axis in (values, bits):
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_locator(LogLocator(base=2, numticks=12))
        axis.xaxis.set_major_formatter(FuncFormatter(_power_of_two))
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize=7.5, frameon=False)
    return figure


def best_rates(rows: pd.DataFrame) -> pd.DataFrame:
    """Those rows than which no other has a higher PSNR at fewer bits, by rising bits."""
    ordered = rows.sort_values("bits_per_pixel")
    return ordered[ordered["mean"] > ordered["mean"].cummax().shift(fill_value=-np.inf)]


def _line(axis: Axes, codec: str, rows: pd.DataFrame, rate: str) -> None:
    if rows.empty:
        return
    label, colour, marker = LINES[codec]
    part = rows.sort_values(rate)
    spread = np.nan_to_num([part["mean"] - part["ci_low"], part["ci_high"] - part["mean"]])
    axis.errorbar(part[rate], part["mean"], spread, color=colour, marker=marker, markersize=4, capsize=2, label=label)


def _power_of_two(value: float, _: int) -> str:
    return f"{value:g}" if value >= 1 else f"1/{round(1 / value)}"
