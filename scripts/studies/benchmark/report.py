# SPDX-License-Identifier: Apache-2.0
"""The benchmark as one self-contained page, and as a Markdown document with pictures of synthetic heads only.

Both say which network is for which damage, what is true of the claims, and why.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from ...files.atomic import replacing
from ...pages.head_views import save_figure
from ...pages.page import figure_source
from ..rate_distortion.figure import rate_distortion_figure
from .answers import MAIN_KIND, best_of_each_network, main_measures, ranking
from .content import benchmark_content, damage_label
from .examples import WITH_WORST, examples
from .figures import curves_figure, labelled_example, matrix_figure
from .results import BenchmarkResults
from .values import Quantity

__all__ = ["KEPT", "write_benchmark_page", "write_benchmark_report"]

MATRIX_KINDS = ("mixed", "holes")
KEPT = "<!-- Written by hand from here on; python -m scripts.studies.benchmark document keeps it. -->"
RATE_DISTORTION = "benchmark_rate_distortion.png"


def write_benchmark_report(results: BenchmarkResults) -> None:
    """Write ``report.html`` into the folder of the benchmark, by rename.

    It shows slices of the benchmark's own cohort.
    """
    content = benchmark_content(results)
    for part in content["sets"]:
        part |= _pictures(results, part["name"])
    curve = rate_distortion(results.folder)
    _write(
        "report.html.jinja", results.folder / "report.html", content, None if curve is None else figure_source(curve)
    )


def write_benchmark_page(results: BenchmarkResults, path: Path) -> None:
    """Write the document and, into ``figures`` beside it, its pictures.

    The same facts as in the report. What an existing document has below the line :data:`KEPT` stays; all of it where
    it has no such line.

    Args:
        results: of the benchmark.
        path: Markdown file.
    """
    content = benchmark_content(results)
    for part in content["sets"]:
        part["figures"] = {}
        for name, figure in _figures(results, part["name"]):
            part["figures"][name] = f"benchmark_{part['name']}_{name}.png"
            save_figure(figure, path.parent / "figures" / part["figures"][name])
    curve = rate_distortion(results.folder)
    if curve is not None:
        save_figure(curve, path.parent / "figures" / RATE_DISTORTION)
    old = path.read_text(encoding="utf-8") if path.is_file() else ""
    kept = old.partition(KEPT)[2] if KEPT in old else f"\n\n{old}"
    _write("page.md.jinja", path, content, None if curve is None else RATE_DISTORTION, f"\n{KEPT}{kept.rstrip()}\n")


def rate_distortion(folder: Path) -> Figure | None:
    """The picture of the study ``rate_distortion``, where that was run with ``--output_dir OUT/rate_distortion``."""
    table = folder / "rate_distortion" / "rate_distortion_summary.csv"
    return rate_distortion_figure(pd.read_csv(table)) if table.is_file() else None


def _write(template: str, path: Path, content: dict[str, Any], curve: str | None, end: str = "") -> None:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=template.endswith(".html.jinja"),
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    page = environment.get_template(template).render(**content, rate_distortion=curve)
    with replacing(path) as partial:
        partial.write_text(f"{page.rstrip()}\n{end}", encoding="utf-8")


def _matrices(results: BenchmarkResults, data: str) -> list[tuple[Quantity, Figure]]:
    """Who beats whom, by each measure that gets a picture; names in the order of their means."""
    found = [m for m in main_measures(results.summary, data) if m.corruption in MATRIX_KINDS]
    found += [m._replace(metric="dssim") for m in found if m.corruption == MAIN_KIND]
    ranked = {measure: list(ranking(results.summary, data, measure)["model"]) for measure in found}
    return [(measure, matrix_figure(results.pairs, data, measure, names)) for measure, names in ranked.items()]


def _curves(results: BenchmarkResults, data: str) -> Figure | None:
    trained = set(results.runs["model"])
    baselines = [name for name in results.summary["model"].unique() if name not in trained]
    return curves_figure(results.summary, data, best_of_each_network(results, data), baselines)


def _pictures(results: BenchmarkResults, data: str) -> dict[str, Any]:
    curves = _curves(results, data)
    return {
        "curves": curves and figure_source(curves),
        "matrices": [
            {"title": f"{damage_label(measure)}: {measure.metric.upper()}", "source": figure_source(figure)}
            for measure, figure in _matrices(results, data)
        ],
        "examples": [
            {"title": example.title, "text": example.text, "source": figure_source(labelled_example(example))}
            for example in examples(results, data, results.facts["dataset_dir"])
        ],
    }


def _figures(results: BenchmarkResults, data: str) -> Iterator[tuple[str, Figure]]:
    """The pictures of the document, of one kind of slices, by what they show."""
    yield "matrix", next(figure for measure, figure in _matrices(results, data) if measure.corruption == MAIN_KIND)
    if (curves := _curves(results, data)) is not None:
        yield "curves", curves
    for example in examples(results, data, ""):  # the demo cohort
        if example.kind in WITH_WORST:
            yield f"{example.kind}_{example.rank}", labelled_example(example)
