# SPDX-License-Identifier: Apache-2.0
"""Picture of a cohort: its split, and the kept slices of each subject. It shows no head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..data.split import ELDERLY_FROM, PARTS, YOUNG_BELOW
from ..files.atomic import replacing

__all__ = ["cohort_picture", "save_cohort_picture"]

COLORS = {"training": "#3b82c4", "validation": "#d9822b", "test": "#4c9f70"}
SEXES = {"F": "female", "M": "male", None: "sex unknown"}
AGE_BINS = list(range(15, 96, 5))
MOST_ROWS = 400
"""Largest number of bars; of a larger cohort every second, third, ... image is shown, since bars need a pixel."""


def save_cohort_picture(cohort: Mapping[str, Any], path: Path) -> None:
    """Write :func:`cohort_picture` as PNG, by rename."""
    with replacing(path) as partial:
        cohort_picture(cohort).savefig(partial, dpi=110)


def cohort_picture(cohort: Mapping[str, Any]) -> Figure:
    """Draw the split (ages by part and sex) and the kept slices of each image.

    Args:
        cohort: content of ``dataset.json``.

    Returns:
        A figure with an age histogram of each part, the number of kept slices, and a bar of kept slices for each image.
    """
    figure = Figure(figsize=(12, 7.5), layout="constrained")
    figure.suptitle(_title(cohort), fontsize=11)
    grid = figure.add_gridspec(4, 2, width_ratios=(1, 1.25))
    upper: Axes | None = None
    for row, part in enumerate(PARTS):
        upper = figure.add_subplot(grid[row, 0], sharex=upper)
        _draw_ages(upper, cohort[part], part)
    _draw_counts(figure.add_subplot(grid[3, 0]), cohort)
    _draw_slices(figure.add_subplot(grid[:, 1]), cohort)
    return figure


def _title(cohort: Mapping[str, Any]) -> str:
    images = sum(len(cohort[part]) for part in PARTS)
    slices = sum(len(item["slices"]) for part in PARTS for item in cohort[part])
    selection = cohort["selection"]
    return (
        f"{cohort['name']}: {images} images, {slices:,} {cohort['plane']} slices kept by the rule "
        f"{selection['rule']} > {selection['threshold']:g}"
        + (f", one of {selection['every_nth_slice']}" if "every_nth_slice" in selection else "")
        + f"; seed {cohort['seed']}"
    )


def _draw_ages(axes: Axes, items: Sequence[Mapping[str, Any]], part: str) -> None:
    """Histogram of the ages of a part, the sexes stacked; each subject counts once."""
    subjects = list({item["subject"]: item for item in items}.values())
    ages = {sex: [s["age"] for s in subjects if s.get("sex") == sex and "age" in s] for sex in SEXES}
    shown = {sex: values for sex, values in ages.items() if values}
    if shown:
        axes.hist(
            [np.clip(values, AGE_BINS[0], AGE_BINS[-1] - 1) for values in shown.values()],
            bins=AGE_BINS,
            stacked=True,
            color=[_shade(COLORS[part], sex) for sex in shown],
            label=[f"{SEXES[sex]} {len(values)}" for sex, values in shown.items()],
            edgecolor="white",
        )
        axes.legend(fontsize=8, frameon=False, loc="upper right")
    unknown = sum("age" not in s for s in subjects)
    note = f", {unknown} of unknown age" if unknown else ""
    axes.set_title(f"{part}: {len(subjects)} subjects{note}", fontsize=9, loc="left")
    for limit in (YOUNG_BELOW, ELDERLY_FROM):
        axes.axvline(limit, color="#8a8f98", linewidth=0.8, linestyle=":")
    axes.set_xlim(AGE_BINS[0], AGE_BINS[-1])
    axes.set_ylabel("subjects", fontsize=8)
    axes.set_xlabel("age in years; dotted: the borders of the age groups" if part == PARTS[-1] else "", fontsize=8)
    axes.tick_params(labelsize=8)


def _shade(color: str, sex: str | None) -> tuple[str, float]:
    return (color, {"F": 1.0, "M": 0.6, None: 0.3}[sex])


def _draw_counts(axes: Axes, cohort: Mapping[str, Any]) -> None:
    """Histogram of the number of kept slices of an image."""
    counts = {part: [len(item["slices"]) for item in cohort[part]] for part in PARTS if cohort[part]}
    every = np.concatenate([np.asarray(values) for values in counts.values()])
    axes.hist(
        list(counts.values()),
        bins=list(np.linspace(every.min() - 0.5, every.max() + 0.5, min(30, int(np.ptp(every)) + 1) + 1)),
        stacked=True,
        color=[COLORS[part] for part in counts],
        edgecolor="white",
    )
    axes.set_title(f"kept slices of an image: {every.mean():.1f} on average", fontsize=9, loc="left")
    axes.set_xlabel("slices", fontsize=8)
    axes.set_ylabel("images", fontsize=8)
    axes.tick_params(labelsize=8)


def _draw_slices(axes: Axes, cohort: Mapping[str, Any]) -> None:
    """One line for each image: grey where it has slices, coloured where they are kept."""
    rows = [(part, item) for part in PARTS for item in cohort[part]]
    step = -(-len(rows) // MOST_ROWS)
    rows = rows[::step]
    for row, (part, item) in enumerate(rows):
        axes.broken_barh([(0, item["shape"][2])], (row, 1), color="#e6e8eb", linewidth=0)
        axes.broken_barh(_runs(item["slices"]), (row, 1), color=COLORS[part], linewidth=0)
    axes.set_ylim(len(rows), 0)
    axes.set_xlim(0, max(item["shape"][2] for _, item in rows))
    which = "each image" if step == 1 else f"one image in {step}"
    axes.set_title(f"kept slices (coloured) of {which}: {', '.join(PARTS)}", fontsize=9, loc="left")
    axes.set_xlabel(f"index of the {cohort['plane']} slice", fontsize=8)
    axes.set_ylabel("image", fontsize=8)
    axes.tick_params(labelsize=8)


def _runs(indices: Sequence[int]) -> list[tuple[float, float]]:
    """(start, length) of each run of consecutive indices.

    Example:
        >>> _runs([3, 4, 5, 8])
        [(3.0, 3.0), (8.0, 1.0)]
    """
    values = np.asarray(indices)
    starts = np.flatnonzero(np.diff(values, prepend=values[0] - 2) > 1)
    return [(float(run[0]), float(len(run))) for run in np.split(values, starts[1:])]
