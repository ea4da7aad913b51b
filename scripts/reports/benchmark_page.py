# SPDX-License-Identifier: Apache-2.0
"""The benchmark as a Markdown document, with pictures of synthetic heads only."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..benchmarking.answers import MAIN_KIND, best_of_each_network
from ..benchmarking.examples import WITH_WORST, examples
from ..benchmarking.results import Results
from ..replacing import replacing
from .benchmark_content import benchmark_content
from .benchmark_figures import curves_figure, labelled_example, matrix_figure
from .benchmark_report import matrices, rate_distortion
from .demo_figures import save_figure

__all__ = ["KEPT", "write_benchmark_page"]

KEPT = "<!-- Written by hand from here on; python -m scripts.benchmark document keeps it. -->"
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
    page = environment.get_template("benchmark_page.md.jinja").render(
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
