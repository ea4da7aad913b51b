# SPDX-License-Identifier: Apache-2.0
"""Pages for those who read no code: a page for each head, and one that lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from monai.data import MetaTensor

from ..pages.head_views import COLORS, INK
from ..pages.page import Section, write_sections
from .calibration import LEVELS, LINE, Calibration
from .evaluation import LesionTests
from .grading import CONTRASTS, KINDS, SIZES_MM, GradedLesion, grade, share_table
from .mapper import AnomalyMap, AnomalyMapper
from .sections import NOTE, findings, map_pictures, slices

__all__ = ["write_evaluation_page", "write_head_page", "write_index"]

INDEX = "anomaly_report.html"


MOST_MISSED = 8
"""Missed lesions that are shown of each kind."""
LEAST_SLICE = 0.05
"""Slices with less brain than this share of the largest are left out of the profile: a voxel counts for too much."""
BRIGHTEST = 1.3
"""White of the views of synthetic lesions, beyond the brightest tissue."""


def write_head_page(
    path: Path, name: str, volume: MetaTensor, found: AnomalyMap, mapper: AnomalyMapper, others: Mapping[str, Any]
) -> None:
    """Write the page of a head.

    Args:
        path: HTML file.
        name: of the head.
        volume: head ``(1, X, Y, Z)`` as it was mapped.
        found: its map.
        mapper: what mapped it.
        others: what else is known, by its name.
    """
    calibration = mapper.calibrated()
    pictures = map_pictures(volume, found.values, found.clusters, found.brain)
    graded = grade(mapper, found.head, found.head_clusters)
    sections = [
        findings(found.table, pictures, mapper.level, calibration.heads),
        slices(pictures),
        Section(
            "Along the slices",
            f"Share of the brain that scores above {LINE:g} in each axial slice. A single peak is a place; a level "
            "above the expected 1 % all along is a head unlike those of the calibration.",
            figures={"Slices from below to above; the numbers are those of the findings.": profile_figure(found)},
        ),
        Section(
            "How far the numbers can be trusted",
            f"{calibration.heads} healthy heads ({calibration.source or 'of unknown source'}) set the scale, each "
            "measured with a scale of the others. By construction their mean is on the dashed line; single heads "
            "differ. "
            f"The smallest p that they support for a cluster is {calibration.smallest_p:.3f}. On another scanner or "
            "protocol the numbers are false: calibrate on healthy heads of one's own.",
            figures={
                "Share of the brain that scores above each value: all healthy heads, nine of ten, median; this head.": (
                    curve_figure(calibration, found)
                )
            },
        ),
        _blindness(graded, mapper),
    ]
    healthy = f"{100 * min(calibration.shares):.2f} to {100 * max(calibration.shares):.2f} %"
    facts = [
        f"{len(found.table)} clusters are called at p of at most {mapper.level:g}.",
        f"{100 * found.share:.2f} % of the brain scores above {LINE:g}; in healthy heads {healthy}.",
        *(f"{what}: {value}" for what, value in others.items()),
    ]
    write_sections(f"Anomaly map of {name}", NOTE, facts, sections, path, found.warnings)


def write_index(folder: Path, mapped: Sequence[Mapping[str, Any]], skipped: Sequence[Mapping[str, str]]) -> Path:
    """Write the page that leads to those of all heads.

    Args:
        folder: folder of the results.
        mapped: entries of the report.
        skipped: likewise.

    Returns:
        The file.
    """
    links = {
        f"{one['name']}: {one['clusters']} clusters, {100 * one['share_above_line']:.2f} % above {LINE:g}"
        + (", with warnings" if one["warnings"] else ""): one["page"]
        for one in mapped
    }
    sections = [Section("Heads", "In the order in which they were mapped.", links=links)]
    if skipped:
        sections.append(Section("Not mapped", "These files could not be mapped.", pd.DataFrame(skipped)))
    write_sections("Anomaly maps", NOTE, [f"{len(mapped)} heads"], sections, folder / INDEX)
    return folder / INDEX


def write_evaluation_page(path: Path, tests: LesionTests, summary: pd.DataFrame) -> None:
    """Write the page of an evaluation: the figures of all detectors, and the lesions that the first of them misses.

    Args:
        path: HTML file.
        tests: what was found.
        summary: its :func:`~scripts.anomaly.tables.summary_table`.
    """
    whole = summary[summary["group"] == "all"].drop(columns="group")
    missed = [one for one in tests.views if not one.found]
    rows = [[one for one in missed if one.kind == kind][:MOST_MISSED] for kind in tests.kinds]
    rows = [row for row in rows if row]
    sections = [Section("All detectors", "Means over heads with 95 % bootstrap intervals; n is the number.", whole)]
    if tests.views:
        text = (
            f"Of {len(tests.views)} synthetic lesions {len(missed)} have no called cluster on them by "
            f"{next(iter(tests.mappers))}; the first {MOST_MISSED} of each kind, with diameter and contrast."
        )
        figures = {"Missed synthetic lesions, outlined in red.": _gallery(rows)} if rows else {}
        sections.append(Section("Lesions that were missed", text, figures=figures))
    write_sections("What anomaly maps find", NOTE, [f"Detectors: {', '.join(tests.mappers)}"], sections, path)


def _blindness(graded: Sequence[GradedLesion], mapper: AnomalyMapper) -> Section:
    small = [one for one in graded if one.kind in KINDS and one.diameter_mm < SIZES_MM[0][1]]
    equal = [one for one in graded if one.kind not in KINDS]
    text = (
        f"To see what it would have missed, {len(graded)} synthetic lesions were put into this very head, three at a "
        f"time, and looked for in the same way; found means that a cluster called at p of at most {mapper.level:g} "
        f"lies on it. Of {len(small)} under {SIZES_MM[0][1]:g} mm, {sum(one.found for one in small)} were found; of "
        f"{len(equal)} without a contrast of their own (another texture, displaced or lost tissue), "
        f"{sum(one.found for one in equal)}. Synthetic lesions imitate what lesions do to an image, not any disease: "
        "real ones may be harder. The map sees nothing outside of its brain mask, nothing that T1 does not show, and "
        "nothing that healthy heads of the calibration have as well, such as the changes of usual ageing. It does not "
        "say what a finding is."
    )
    figures = {
        "One bright and one dark lesion of each size and contrast: found (green), missed (red).": _gallery(
            _examples(graded)
        )
    }
    return Section("What this map cannot see", text, share_table(list(graded)), figures)


def profile_figure(found: AnomalyMap) -> Figure:
    """Share of the brain above the line in each axial slice, with the numbers of the clusters."""
    brain, values = found.head.brain.numpy(), found.head_values.numpy()
    sizes = brain.sum(axis=(1, 2))
    slices = np.flatnonzero(sizes >= LEAST_SLICE * sizes.max())[::-1]
    middle = [*(np.array(brain.shape[1:]) / 2), 1.0]
    heights = [float((found.head.affine @ [k, *middle])[2]) for k in slices]
    shares = [100 * float((values[k] > LINE).sum() / sizes[k]) for k in slices]
    figure, axis = _plot("height z (mm)", f"% of the slice above {LINE:g}")
    axis.fill_between(heights, shares, color=COLORS[1], alpha=0.35, linewidth=0)
    axis.plot(heights, shares, color=COLORS[1])
    axis.axhline(1, color=INK, linestyle="--", linewidth=1)
    axis.text(heights[-1], 1, "expected", color=INK, fontsize=8, va="bottom", ha="right")
    for one in found.table:
        axis.annotate(str(one.index), (one.z_mm, float(np.interp(one.z_mm, heights, shares))), (0, 3),
                      textcoords="offset points", color=INK, ha="center")  # fmt: skip
    axis.set_ylim(bottom=0)
    return figure


def curve_figure(calibration: Calibration, found: AnomalyMap) -> Figure:
    """Share of healthy brains above each line, with the spread of heads, and that of a head."""
    lines = list(calibration.spread())
    low, some, middle, most, high = np.maximum(
        100 * np.array([np.quantile(one, (0, 0.05, 0.5, 0.95, 1)) for one in calibration.spread().values()]), 1e-3
    ).T
    figure, axis = _plot("value of the map (minus log10 p)", "% of the brain above it")
    axis.plot((1, LEVELS[-1]), 100 * 10.0 ** -np.array((1, LEVELS[-1])), color=INK, linestyle="--", label="expected")
    if len(lines) > 1:
        axis.fill_between(lines, low, high, color=COLORS[0], alpha=0.15, linewidth=0, label="all healthy heads")
        axis.fill_between(lines, some, most, color=COLORS[0], alpha=0.3, linewidth=0, label="nine of ten")
        axis.plot(lines, middle, color=COLORS[0], label="median healthy head")
    else:
        axis.errorbar(lines, middle, (middle - low, high - middle), fmt="o", color=COLORS[0], label="healthy heads")
    inside = found.head_values[found.head.brain].numpy()
    wide = np.arange(1, LEVELS[-1] + 0.05, 0.1)
    axis.plot(wide, [max(100 * float((inside > one).mean()), 1e-3) for one in wide], color=COLORS[1], label="this head")
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.axvline(LINE, color=INK, linewidth=0.8)
    axis.legend(labelcolor=INK, frameon=False, fontsize=8)
    return figure


def _examples(graded: Sequence[GradedLesion]) -> list[list[GradedLesion | None]]:
    """A bright and a dark lesion of each size, in rows, and contrast."""
    rows: list[list[GradedLesion | None]] = []
    for low, high in SIZES_MM:
        own = [one for one in graded if low <= one.diameter_mm <= high]
        cells = [(kind, contrast) for kind in KINDS for contrast in CONTRASTS]
        rows.append(
            [next((o for o in own if o.kind == kind and least <= abs(o.contrast) <= most), None)
             for kind, (least, most) in cells]
        )  # fmt: skip
    return rows


def _gallery(rows: Sequence[Sequence[GradedLesion | None]]) -> Figure:
    """Views of lesions, outlined by whether they were found."""
    figure = Figure(figsize=(11, 2 * len(rows)), facecolor="black", layout="constrained")
    grid = figure.subplots(len(rows), max(map(len, rows)), squeeze=False)
    for axis in grid.flat:
        axis.axis("off")
    for axis, one in ((a, o) for axes, row in zip(grid, rows, strict=True) for a, o in zip(axes, row, strict=False)):
        if one is not None:
            axis.imshow(one.view, cmap="gray", vmin=0, vmax=BRIGHTEST)
            axis.contour(one.outline, levels=[0.5], colors="#4fd36a" if one.found else "#ff5a4d", linewidths=1)
            title = f"{one.kind}, {one.diameter_mm:.0f} mm, {abs(one.contrast):.2f}"
            axis.set_title(title, color="#e8eaed", fontsize=7)
    return figure


def _plot(xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    """An empty plot on a transparent ground."""
    figure = Figure(figsize=(8, 3.2), facecolor="none", layout="constrained")
    axis = figure.subplots()
    axis.set_facecolor("none")
    axis.set_xlabel(xlabel, color=INK)
    axis.set_ylabel(ylabel, color=INK)
    axis.tick_params(which="both", colors=INK)
    axis.grid(color=INK, alpha=0.2, linewidth=0.6)
    for spine in axis.spines.values():
        spine.set_color(INK)
    return figure, axis
