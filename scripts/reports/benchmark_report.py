# SPDX-License-Identifier: Apache-2.0
"""The benchmark as one self-contained page: which network for which damage, what is true of the claims, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from matplotlib.figure import Figure

from ..benchmarking.answers import best_of_each_network, main_measures, ranking
from ..benchmarking.examples import examples
from ..benchmarking.results import Results
from ..benchmarking.values import Measure
from ..replacing import replacing
from .benchmark_content import benchmark_content, damage_label
from .benchmark_figures import curves_figure, labelled_example, matrix_figure
from .evaluation_figures import figure_source
from .rate_distortion_figure import rate_distortion_figure

__all__ = ["matrices", "rate_distortion", "write_benchmark_report"]

MATRIX_KINDS = ("mixed", "holes")


def write_benchmark_report(results: Results) -> None:
    """Write ``report.html`` into the folder of the benchmark, by rename.

    It shows slices of the benchmark's own cohort.
    """
    content = benchmark_content(results)
    for part in content["sets"]:
        part |= _pictures(results, part["name"])
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=select_autoescape(default=True),
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    curve = rate_distortion(results.folder)
    page = environment.get_template("benchmark_report.html.jinja").render(
        **content, rate_distortion=curve and figure_source(curve)
    )
    with replacing(results.folder / "report.html") as partial:
        partial.write_text(page, encoding="utf-8")


def matrices(results: Results, data: str) -> list[tuple[Measure, list[str]]]:
    """The measures that get a picture of who beats whom, with the names in the order of their means."""
    found = [m for m in main_measures(results.summary, data) if m.corruption in MATRIX_KINDS]
    found += [m._replace(metric="dssim") for m in found if m.corruption == "mixed"]
    return [(measure, list(ranking(results.summary, data, measure)["model"])) for measure in found]


def _pictures(results: Results, data: str) -> dict[str, Any]:
    baselines = [name for name in results.summary["model"].unique() if name not in set(results.runs["model"])]
    curves = curves_figure(results.summary, data, best_of_each_network(results, data), baselines)
    return {
        "curves": curves and figure_source(curves),
        "matrices": [
            {
                "title": f"{damage_label(measure)}: {measure.metric.upper()}",
                "source": figure_source(matrix_figure(results.pairs, data, measure, names)),
            }
            for measure, names in matrices(results, data)
        ],
        "examples": [
            {"title": example.title, "text": example.text, "source": figure_source(labelled_example(example))}
            for example in examples(results, data, results.facts["dataset_dir"])
        ],
    }


def rate_distortion(folder: Path) -> Figure | None:
    """The picture of ``python -m scripts.rate_distortion --output_dir OUT/rate_distortion``, where that was run."""
    table = folder / "rate_distortion" / "rate_distortion_summary.csv"
    return rate_distortion_figure(pd.read_csv(table)) if table.is_file() else None
