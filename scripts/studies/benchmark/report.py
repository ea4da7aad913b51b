# SPDX-License-Identifier: Apache-2.0
"""The benchmark as one self-contained page: which network for which damage, what is true of the claims, and why.

FOLDED: The benchmark as a Markdown document, with pictures of synthetic heads only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from matplotlib.figure import Figure

from ...files.atomic import replacing
from ...pages.head_views import save_figure
from ...pages.page import figure_source
from ..rate_distortion.figure import rate_distortion_figure
from .answers import MAIN_KIND, WITH_WORST, best_of_each_network, examples, main_measures, ranking
from .content import benchmark_content, damage_label
from .figures import curves_figure, labelled_example, matrix_figure
from .results import Results
from .values import Measure

__all__ = ["KEPT", "matrices", "rate_distortion", "write_benchmark_page", "write_benchmark_report"]

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
    page = environment.get_template("report.html.jinja").render(
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
    """The picture of ``python -m scripts.studies.rate_distortion --output_dir OUT/rate_distortion``, where that was run."""
    table = folder / "rate_distortion" / "rate_distortion_summary.csv"
    return rate_distortion_figure(pd.read_csv(table)) if table.is_file() else None


KEPT = "<!-- Written by hand from here on; python -m scripts.studies.benchmark document keeps it. -->"
RATE_DISTORTION = "benchmark_rate_distortion.png"


def write_benchmark_page(results: Results, path: Path) -> None:
    """Write the document and, into ``figures`` beside it, its pictures.

    The same facts as in the report. What an existing document has below the line :data:`KEPT` stays; all of it where
    it has no such line.

    Args:
        results: of the benchmark.
        path: Markdown file.
    """
    content = benchmark_content(results)
    for part in content["sets"]:
        part["figures"] = _figures(results, part["name"], path.parent / "figures")
    curve = rate_distortion(results.folder)
    if curve is not None:
        save_figure(curve, path.parent / "figures" / RATE_DISTORTION)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=False, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    page = environment.get_template("page.md.jinja").render(
        **content, rate_distortion=RATE_DISTORTION if curve is not None else None
    )
    old = path.read_text(encoding="utf-8") if path.is_file() else ""
    kept = old.partition(KEPT)[2] if KEPT in old else f"\n\n{old}"
    with replacing(path) as partial:
        partial.write_text(f"{page.rstrip()}\n\n{KEPT}{kept.rstrip()}\n", encoding="utf-8")


def _figures(results: Results, data: str, folder: Path) -> dict[str, str]:
    """Save the pictures of one kind of slices; their files by what they show."""
    trained = set(results.runs["model"])
    baselines = [name for name in results.summary["model"].unique() if name not in trained]
    measure, names = next(found for found in matrices(results, data) if found[0].corruption == MAIN_KIND)
    figures = {
        "matrix": matrix_figure(results.pairs, data, measure, names),
        "curves": curves_figure(results.summary, data, best_of_each_network(results, data), baselines),
    }
    for example in examples(results, data, ""):  # the demo cohort
        if example.kind in WITH_WORST:
            figures[f"{example.kind}_{example.rank}"] = labelled_example(example)
    files = {}
    for name, figure in figures.items():
        if figure is not None:
            files[name] = f"benchmark_{data}_{name}.png"
            save_figure(figure, folder / files[name])
    return files
