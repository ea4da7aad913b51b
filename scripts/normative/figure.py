# SPDX-License-Identifier: Apache-2.0
"""Picture of a normative chart, drawn without a display."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .chart import BAND, SEXES, NormativeChart

__all__ = ["chart_figure"]

COLOURS = {"F": "#d55e00", "M": "#0072b2"}  # Okabe and Ito: colour-blind safe
COLUMNS = 3
AGES = 60
QUARTILES = (0.25, 0.75)


def chart_figure(
    chart: NormativeChart, note: str, head: tuple[float, str, Mapping[str, float]] | None = None
) -> Figure:
    """One panel per measure: heads, median and 5th to 95th percentile against age.

    Args:
        chart: chart with its heads.
        note: title of the figure.
        head: age, sex and values of a head to show, with the curves of its sex and their quartiles; none by default.
    """
    rows = -(-len(chart.measures) // COLUMNS)
    figure = Figure(figsize=(3.6 * COLUMNS, 0.5 + 2.6 * rows), layout="constrained")
    figure.suptitle(note, fontsize=9)
    axes = figure.subplots(rows, COLUMNS, squeeze=False).flat
    for axis, name in zip(axes, chart.measures, strict=False):
        for sex in SEXES if head is None else (head[1],):
            _curves(axis, chart, name, sex, quartiles=head is not None)
        if head is not None:
            axis.plot(head[0], head[2][name], "*", color="black", markersize=13, label="this head")
        axis.set_title(f"{name.replace('_', ' ')} {chart.measures[name].unit}", fontsize=8)
        axis.set_xlabel("age (years)", fontsize=7)
        axis.tick_params(labelsize=6)
    for axis in list(figure.axes)[len(chart.measures) :]:
        axis.set_axis_off()
    figure.axes[0].legend(fontsize=6)
    return figure


def _curves(axis: Axes, chart: NormativeChart, name: str, sex: str, quartiles: bool) -> None:
    heads = chart.heads[chart.heads["sex"] == sex]
    ages = np.linspace(*chart.age_range(sex), AGES)
    colour = COLOURS[sex]
    axis.plot(heads["age"], heads[name], ".", color=colour, markersize=3, alpha=0.5)
    axis.plot(ages, chart.quantile(name, ages, sex, 0.5), color=colour, linewidth=1.5, label=f"{sex}, {len(heads)}")
    low, high = (chart.quantile(name, ages, sex, share) for share in BAND)
    axis.fill_between(ages, low, high, color=colour, alpha=0.12, linewidth=0)
    for share in QUARTILES if quartiles else ():
        axis.plot(ages, chart.quantile(name, ages, sex, share), color=colour, linewidth=0.6, linestyle="--")
