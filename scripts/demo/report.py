# SPDX-License-Identifier: Apache-2.0
"""The page that ``make demo`` ends with: one self-contained HTML file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from monai.data import MetaTensor

from .. import __version__
from ..pages.head_views import cohort_figure, curve_figure, restoration_figure
from ..pages.page import figure_source, write_page
from .restoration import INSIDE, Restoration

__all__ = ["DemoResults", "DemoStep", "write_demo_report"]

METHODS = {
    "network": "network",
    "input": "input as it is",
    "median": "3 x 3 median",
    "non_local_means": "non-local means",
}
"""Titles of the rows of the evaluation table."""


@dataclass(frozen=True)
class DemoStep:
    """A step of the demo."""

    title: str
    command: str
    seconds: float


@dataclass
class DemoResults:
    """Results of the demo.

    Attributes:
        seed: seed of the cohort.
        cohort: content of ``dataset.json``.
        heads: volumes in network space, by caption.
        history: path of the training's ``history.csv``.
        summary: path of the evaluation's ``summary.csv``.
        restoration: the restored head.
        weights: description of the weights that restored it.
        steps: steps of the demo, in order.
    """

    seed: int
    cohort: Mapping[str, Any]
    heads: Mapping[str, MetaTensor]
    history: Path
    summary: Path
    restoration: Restoration
    weights: str
    steps: list[DemoStep] = field(default_factory=list)


def write_demo_report(results: DemoResults, path: Path) -> None:
    """Write the report; it appears by rename.

    Args:
        results: results of the demo.
        path: HTML file.
    """
    write_page(Path(__file__).with_name("report.html.jinja"), path, **_context(results))


def _context(results: DemoResults) -> dict[str, Any]:
    """Everything that the template shows."""
    history = pd.read_csv(results.history)
    curves = {"training": history["train_loss"].tolist(), "validation": history["val_loss"].tolist()}
    restoration = results.restoration
    first = results.cohort["training"][0]
    sizes = {part: len(results.cohort[part]) for part in ("training", "validation", "test")}
    before, after = restoration.psnr[INSIDE]
    seconds = sum(step.seconds for step in results.steps)
    return {
        "version": __version__,
        "seed": results.seed,
        "steps": results.steps,
        "total_seconds": seconds,
        "cards": [
            {"name": "cohort", "value": str(sum(sizes.values())), "note": "synthetic heads"},
            {"name": "damaged head", "value": f"{before:.1f} dB", "note": "PSNR inside the head"},
            {"name": "restored head", "value": f"{after:.1f} dB", "note": "PSNR inside the head"},
            {"name": "all of it took", "value": f"{seconds / 60:.1f} min", "note": "on this machine"},
        ],
        "cohort_image": figure_source(cohort_figure(results.heads)),
        "cohort_size": ", ".join(f"{count} {part}" for part, count in sizes.items()),
        "shape": " x ".join(str(size) for size in first["shape"]),
        "spacing": " x ".join(f"{size:g}" for size in first["spacing_mm"]),
        "curve_image": figure_source(curve_figure(curves, "loss (mean squared error)"), dpi=130),
        "curve_caption": f"{_count(len(history), 'epoch')} of the default recipe from random weights: enough to see it "
        "learn, far from enough to see it finish.",
        "evaluation": _evaluation_table(pd.read_csv(results.summary)),
        "restoration_text": f"Test subject {restoration.subject}, damaged with the mixed damage of the evaluation "
        f"and restored with {results.weights}.",
        "restoration_image": figure_source(
            restoration_figure(restoration.clean, restoration.damaged, restoration.restored, restoration.views)
        ),
        "views": ", ".join(plane for plane, _ in restoration.views),
        "restoration_rows": [
            {"region": region, "damaged": values[0], "restored": values[1]}
            for region, values in restoration.psnr.items()
        ],
    }


def _evaluation_table(summary: pd.DataFrame) -> dict[str, Any]:
    """PSNR of each method for each damage, inside the head."""
    rows = summary[(summary["metric"] == "psnr") & (summary["region"] == "head")]
    columns = list(dict.fromkeys(zip(rows["corruption"], rows["severity"], strict=True)))
    means = rows.set_index(["method", "corruption", "severity"])["mean"]
    methods = list(dict.fromkeys(rows["method"]))

    def cells(method: str) -> list[str]:
        return [METHODS.get(method, method), *(_decibels(means.get((method, *column))) for column in columns)]

    return {
        "columns": ["method"] + [_damage_name(*column) for column in columns],
        "rows": [{"strong": method == methods[0], "cells": cells(method)} for method in methods],
        "subjects": _count(int(rows["n"].max()), "test subject"),
    }


def _damage_name(corruption: str, severity: int) -> str:
    name = {"clean": "undamaged"}.get(corruption, corruption.replace("_", " "))
    return f"{name}, severity {severity}" if severity else name


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("s" if number != 1 else "")


def _decibels(value: float | None) -> str:
    """A number, or a dash where a method has none: biharmonic inpainting needs holes."""
    if value is None:
        return "-"
    return "unchanged" if math.isinf(value) else f"{value:.1f}"
