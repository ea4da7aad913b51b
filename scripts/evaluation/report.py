# SPDX-License-Identifier: Apache-2.0
"""The evaluation as one self-contained page: headline, curves, every subject, examples, tables, protocol."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from ignite.engine import Engine, Events
from monai.data import Dataset
from torch import Tensor

from ..metrics import METRIC_NAMES
from ..pages.page import figure_source, write_page
from .conditions import Condition
from .figures import example_figure, method_label, severity_figure, subjects_figure
from .step import RestoreAndMeasure
from .subjects import subject_slices
from .tables import ResultTables

__all__ = ["EvaluationReport", "headline", "median_slice", "worst_slice"]

REGION_LABELS = {
    "whole": "whole slices",
    "head": "inside the head",
    "brain": "inside the brain",
    "hole": "inside the holes",
}
FORMATS = {"mse": "{:.2e}", "psnr": "{:.2f}", "dssim": "{:.4f}", "ssim": "{:.4f}", "hfen": "{:.3f}"}
UNITS = {"mse": "MSE", "psnr": "PSNR (dB)", "dssim": "DSSIM", "ssim": "SSIM", "hfen": "HFEN"}


@dataclass(eq=False)
class EvaluationReport:
    """Handler that writes ``report.html`` after the tables.

    Args:
        output_dir: folder of the page.
        tables: result tables, attached before this handler.
        step: iteration of the evaluation, which restores the examples again.
        dataset: dataset of the evaluation.
        title: title of the page.
        facts: facts about the run, by name.
    """

    output_dir: str
    tables: ResultTables
    step: RestoreAndMeasure
    dataset: Dataset
    title: str
    facts: Mapping[str, str]

    def attach(self, engine: Engine) -> None:
        """Attach to the evaluator."""
        engine.add_event_handler(Events.COMPLETED, lambda _: self.write())

    def write(self) -> None:
        """Write the page, by rename."""
        metrics, summary = self.tables.metrics, self.tables.summary
        regions = {name: label for name, label in REGION_LABELS.items() if name in set(summary["region"])}
        shown = {name: label for name, label in regions.items() if name in ("whole", "head")}
        main = self._main_condition()
        curves = severity_figure(summary, shown)
        write_page(
            Path(__file__).with_name("report.html.jinja"),
            Path(self.output_dir) / "report.html",
            title=self.title,
            facts=self.facts,
            headline=headline(summary, main.kind, main.severity),
            curves=curves and figure_source(curves),
            subjects=figure_source(subjects_figure(metrics, main.kind, main.severity, shown)),
            main=main,
            examples=list(self._examples(main)),
            tables=list(_tables(summary, self.step.conditions, regions)),
            conditions=self.step.conditions,
            subject_count=metrics["subject"].nunique(),
            slice_count=int(metrics.groupby("subject")["slices"].first().sum()),
        )

    def _main_condition(self) -> Condition:
        """The mixed damage of the training if it is evaluated, otherwise the first condition with damage."""
        damaging = [c for c in self.step.conditions if c.kind != "clean"] or self.step.conditions
        return next((c for c in damaging if c.name == "mixed 3"), damaging[0])

    def _examples(self, main: Condition) -> Iterator[dict[str, str]]:
        """Best, median and worst subject under the main damage; the median one under the strongest of each other."""
        strongest = {c.kind: c for c in self.step.conditions if c.kind not in (main.kind, "clean")}
        ranks = [(main, rank, median_slice) for rank in ("best", "median")] + [(main, "worst", worst_slice)]
        ranks += [(condition, "median", median_slice) for condition in strongest.values()]
        subjects, seen = [str(item["subject"]) for item in self.dataset.data], set()
        for condition, rank, choose in ranks:
            method, order = self._ranked(condition)
            if not order:  # only methods for other damage were evaluated
                continue
            position = {"best": len(order) - 1, "median": len(order) // 2, "worst": 0}[rank]
            subject, psnr = order[position]
            if (condition, subject, choose) in seen:
                continue
            seen.add((condition, subject, choose))
            slices = subject_slices(self.dataset[subjects.index(subject)], self.step.device)
            kept, images = self.step.pictures(slices, condition, choose)
            size = "largest" if choose is worst_slice else "median"
            yield {
                "title": f"{condition.name.replace('_', ' ')}: {rank} subject, {subject}, {psnr:.1f} dB",
                "text": f"slice {kept}, the one with the {size} error of the {method_label(method)} "
                f"({condition.description})",
                "source": figure_source(example_figure(images)),
            }

    def _ranked(self, condition: Condition) -> tuple[str, list[tuple[str, float]]]:
        """The first method with results under this condition, and its subjects with their PSNR, the worst first."""
        metrics = self.tables.metrics
        rows = metrics[
            (metrics["corruption"] == condition.kind)
            & (metrics["severity"] == condition.severity)
            & (metrics["region"] == "whole")
        ]
        method = next((name for name in self.step.methods if name in set(rows["method"])), "")
        ordered = rows[rows["method"] == method].sort_values("psnr")
        return method, list(zip(ordered["subject"], ordered["psnr"], strict=True))


def median_slice(errors: Tensor) -> int:
    """Position of the slice with the median error."""
    return int(torch.argsort(errors)[len(errors) // 2])


def worst_slice(errors: Tensor) -> int:
    """Position of the slice with the largest error."""
    return int(errors.argmax())


def headline(summary: pd.DataFrame, kind: str, severity: int) -> list[str]:
    """The result in sentences: PSNR of all methods under one condition and on clean images."""
    sentences = []
    for condition, level in ((kind, severity), ("clean", 0)):
        for region in ("whole", "head"):
            rows = summary[
                (summary["corruption"] == condition)
                & (summary["severity"] == level)
                & (summary["region"] == region)
                & (summary["metric"] == "psnr")
            ]
            if not rows.empty:
                texts = [f"{method_label(row.method)} {_decibels(row)}" for row in rows.itertuples()]
                where = REGION_LABELS[region]
                sentences.append(f"{condition.replace('_', ' ').capitalize()}, {where}: {'; '.join(texts)}.")
    return list(dict.fromkeys(sentences))


def _decibels(row: Any) -> str:
    if math.isinf(row.mean):
        return "unchanged (no error)"
    interval = "" if math.isnan(row.ci_low) else f" ({row.ci_low:.2f} to {row.ci_high:.2f})"
    return f"{row.mean:.2f} dB{interval}"


def _tables(summary: pd.DataFrame, conditions: list[Condition], regions: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """A table for each condition and region: methods in rows, metrics in columns."""
    for condition in conditions:
        here = summary[(summary["corruption"] == condition.kind) & (summary["severity"] == condition.severity)]
        for region, label in regions.items():
            part = here[here["region"] == region]
            if part.empty:
                continue
            cells = {(row.method, row.metric): row for row in part.itertuples()}
            rows = [
                {
                    "method": method_label(method),
                    "n": cells[method, "mse"].n,
                    "cells": [_cell(cells[method, metric], FORMATS[metric]) for metric in METRIC_NAMES],
                    "gain": _gain(cells[method, "psnr"]),
                }
                for method in part["method"].unique()
            ]
            yield {"condition": condition, "region": label, "metrics": [UNITS[m] for m in METRIC_NAMES], "rows": rows}


def _cell(row: Any, form: str) -> dict[str, str]:
    if math.isinf(row.mean):
        return {"mean": "no error", "spread": "", "interval": ""}
    spread = "" if math.isnan(row.sd) else f"± {form.format(row.sd)}"
    interval = "" if math.isnan(row.ci_low) else f"{form.format(row.ci_low)} to {form.format(row.ci_high)}"
    return {"mean": form.format(row.mean), "spread": spread, "interval": interval}


def _gain(row: Any) -> str:
    if row.gain == 0 or not math.isfinite(row.gain):
        return ""
    interval = "" if math.isnan(row.gain_low) else f" ({row.gain_low:+.2f} to {row.gain_high:+.2f})"
    return f"{row.gain:+.2f}{interval}"
