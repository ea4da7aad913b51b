# SPDX-License-Identifier: Apache-2.0
"""Tables of what detectors find: means over heads with intervals, by kind, size and contrast of the lesions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..evaluation.statistics import bootstrap_interval
from ..files.atomic import write_csv
from .evaluation import HEALTHY, LesionTests

__all__ = ["in_words", "save_tables", "summary_table"]

HEADS, LESIONS, SUMMARY = "heads.csv", "lesions.csv", "summary.csv"
POOLED = ["average_precision", "best_dice", "dice_at_line"]
MEASURES = [*POOLED, "dice_of_called", "prevalence", "undone", "error_elsewhere"]
SIZES_MM = (0.0, 6.0, 10.0, 14.0, 20.0, np.inf)
CHANGES = (0.0, 0.1, 0.2, np.inf)
AGE_GROUPS = 3


def summary_table(tests: LesionTests) -> pd.DataFrame:
    """Summarise tests.

    Returns:
        For each detector, kind of lesion, measure and group: ``n``, the number of heads, ``mean`` over them, and its 95
        % bootstrap interval over heads, ``ci_low`` to ``ci_high``; measures that begin with ``pooled`` are those of the
        voxels of all heads together.
    """
    heads, lesions = pd.DataFrame(tests.heads), pd.DataFrame(tests.lesions)
    rows = []
    for (detector, kind), part in heads.groupby(["detector", "kind"], sort=False):
        values = _healthy_values(part) if kind == HEALTHY else _lesion_values(part, lesions)
        for measure, group, numbers in values:
            numbers = numbers[np.isfinite(numbers)]
            if len(numbers):
                low, high = bootstrap_interval(numbers)
                rows.append([detector, kind, measure, group, len(numbers), float(np.mean(numbers)), low, high])
        if counts := tests.counts.get((str(detector), str(kind))):
            for measure in POOLED:
                pooled = getattr(counts, measure)
                rows.append([detector, kind, f"pooled_{measure}", "all", len(part), pooled, np.nan, np.nan])
    return pd.DataFrame(rows, columns=["detector", "kind", "measure", "group", "n", "mean", "ci_low", "ci_high"])


def save_tables(tests: LesionTests, folder: Path) -> list[Path]:
    """Write the rows of heads and of lesions, and the summary; returns the files."""
    tables = {HEADS: pd.DataFrame(tests.heads), LESIONS: pd.DataFrame(tests.lesions), SUMMARY: summary_table(tests)}
    for name, table in tables.items():
        write_csv(folder / name, table)
    return [folder / name for name in tables]


def in_words(summary: pd.DataFrame) -> str:
    """The main figures of each detector, a line for each kind of lesion."""
    names = {
        "average_precision": "average precision",
        "dice_at_line": "Dice above the line",
        "dice_of_called": "of called clusters",
    }
    whole = summary[summary["group"] == "all"].set_index(["detector", "kind", "measure"])["mean"]
    lines = []
    for (detector, kind), own in whole.groupby(level=[0, 1], sort=False):
        own = own.droplevel([0, 1])
        if kind == HEALTHY:
            text = f"{100 * own['share_above_line']:.2f} % above the line, a cluster called in {own['any_called']:.0%}"
        else:
            text = ", ".join(f"{name} {own[measure]:.3f}" for measure, name in names.items())
            text += (
                f", {own['found']:.0%} of lesions found at one false cluster a head, {own['found_called']:.0%} called"
            )
        lines.append(f"{detector}, {kind}: {text}")
    return "\n".join(lines)


def _healthy_values(heads: pd.DataFrame) -> Iterator[tuple[str, str, Any]]:
    groups = {"all": np.ones(len(heads), dtype=bool)}
    if "sex" in heads:
        groups |= {f"sex {sex}": (heads["sex"] == sex).to_numpy() for sex in ("F", "M")}
    if "age" in heads and heads["age"].notna().sum() >= AGE_GROUPS:
        age = heads["age"].to_numpy(dtype=float)
        edges = np.nanquantile(age, np.linspace(0, 1, AGE_GROUPS + 1))
        for low, high in pairwise(edges):
            last = high == edges[-1]
            groups[f"age {low:.0f} to {high:.0f}"] = (age >= low) & ((age <= high) if last else (age < high))
    for group, chosen in groups.items():
        yield "share_above_line", group, heads.loc[chosen, "share_above_line"].to_numpy()
    yield "false_clusters", "all", heads["false_clusters"].to_numpy(dtype=float)
    yield "any_called", "all", (heads["false_called"] > 0).to_numpy(dtype=float)


def _lesion_values(heads: pd.DataFrame, lesions: pd.DataFrame) -> Iterator[tuple[str, str, Any]]:
    for measure in (*MEASURES, "false_clusters", "false_called"):
        if measure in heads:
            yield measure, "all", heads[measure].to_numpy(dtype=float)
    detector, kind = heads["detector"].iloc[0], heads["kind"].iloc[0]
    own = lesions[(lesions["detector"] == detector) & (lesions["kind"] == kind)]
    groups = {"all": own, "over 10 mm": own[own["diameter_mm"] > 10]}
    groups |= {f"{low:g} to {high:g} mm": part for low, high, part in _bins(own, "diameter_mm", SIZES_MM)}
    if "change" in own:
        groups |= {f"change {low:g} to {high:g}": part for low, high, part in _bins(own, "change", CHANGES)}
    for group, part in groups.items():
        for measure in ("found", "found_called"):
            yield measure, group, part.groupby("subject")[measure].mean().to_numpy(dtype=float)


def _bins(lesions: pd.DataFrame, column: str, edges: tuple[float, ...]) -> Iterator[tuple[float, float, pd.DataFrame]]:
    for low, high in pairwise(edges):
        yield low, high, lesions[(lesions[column] > low) & (lesions[column] <= high)]
