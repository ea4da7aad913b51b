# SPDX-License-Identifier: Apache-2.0
"""Rate and distortion as a table for a document."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from .rate_distortion_figure import LINES

__all__ = ["rate_table"]

HEADER = (
    "| codec | values per pixel | head (dB) | whole slices (dB) | bits per pixel | head, coded (dB) |",
    "|---|---|---|---|---|---|",
)


def rate_table(summary: pd.DataFrame) -> str:
    """One row for each codec and compression, in Markdown.

    PSNR, mean over subjects ± standard deviation [95 % interval], of values as they are, by their number; and quantised
    to the most bits per value that were measured, by the length of their code.

    Args:
        summary: of :func:`scripts.coding.rates.summarise_rates`.
    """
    psnr = summary[summary["metric"] == "psnr"]
    lines = list(HEADER)
    for (codec, _), part in psnr.groupby(["codec", "compression"], sort=False):
        cells: dict[tuple[str, float], Any] = {(row.region, row.bits_per_value): row for row in part.itertuples()}
        head, whole, finest = cells["head", 0], cells["whole", 0], cells["head", part["bits_per_value"].max()]
        coded = not math.isnan(finest.bits_per_pixel)
        lines.append(
            f"| {LINES[codec][0] if codec in LINES else codec.replace('_', ' ')} "
            f"| {_rate(head.values_per_pixel)} | {_mean(head)} | {_mean(whole)} "
            f"| {f'{finest.bits_per_pixel:.3f}' if coded else ''} | {_mean(finest) if coded else ''} |"
        )
    return "\n".join(lines) + "\n"


def _rate(values_per_pixel: float) -> str:
    if math.isnan(values_per_pixel):
        return ""
    return f"{values_per_pixel:g}" if values_per_pixel >= 1 else f"1/{1 / values_per_pixel:.4g}"


def _mean(row: Any) -> str:
    interval = "" if math.isnan(row.ci_low) else f" [{row.ci_low:.1f}, {row.ci_high:.1f}]"
    return f"{row.mean:.1f}" + ("" if math.isnan(row.sd) else f" ± {row.sd:.1f}") + interval
