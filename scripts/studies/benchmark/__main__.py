# SPDX-License-Identifier: Apache-2.0
"""The fair comparison: ``python -m scripts.studies.benchmark --recipes GLOB --dataset_dir DATA --output_dir OUT``.

``docs/studies/benchmark.md`` explains the protocol, the statistics and the files.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...recipes.recipe import find_recipes
from ..command_line import run_command, say, switch, whole_numbers
from .cells import MACHINE_KEYS, make_cells, typed
from .record import done_cells
from .report import write_benchmark_page, write_benchmark_report
from .results import read_results, write_results
from .running import run_on_this_machine

__all__ = ["benchmark"]

TASKS = ("run", "report", "document")


def benchmark(
    task: str = "run",
    recipes: str | Sequence[str] = "factorial_*",
    dataset_dir: str = "",
    output_dir: str = "eval/benchmark",
    seeds: int | Sequence[int] = (0, 1, 2),
    max_epochs: int | None = None,
    jobs: int | None = None,
    threads: int = 1,
    device: str | None = None,
    keep_old_code: bool = False,
    page: str = "docs/studies/results.md",
    **overrides: Any,
) -> None:
    """Train and evaluate recipes with several seeds, compare them with statistics that hold, and report it.

    A cell is a recipe with a seed. What is done is kept: cells whose config, data and code are the same and whose files
    are as they were. An interrupted cell goes on after its last epoch. A cell that fails is reported at the end, the
    others are done; the exit status is then 1.

    Writes summary.csv, statistics.csv, claims.csv, runs.csv and report.html into OUTPUT_DIR. Any other top-level key of
    the configs may be set too, for every cell: --batch_size 64 --severities [3].

    Args:
        task: "run" trains and evaluates what is not done, then writes tables and report; "report" only writes these,
            from the cells that are done; "document" writes PAGE from the tables, with pictures of synthetic heads.
        recipes: names with * and ?, separated by commas: files of configs/recipe and cells of configs/grid, such as
            'factorial_*' or 'thesis_skip_cae_*'; or paths of recipe files. 'factorial_*,thesis_*@0' gives the latter
            the seed 0 alone, @0+1 two seeds.
        dataset_dir: folder of dataset.json (python -m scripts prepare); the demo cohort if empty.
        output_dir: folder of everything that the benchmark makes.
        seeds: seeds of the trainings, such as 0,1,2. Claims need three.
        max_epochs: epochs of every cell; each recipe's own by default.
        jobs: cells at a time; by default the number of CPU cores divided by THREADS, on a GPU 4.
        threads: CPU threads of each cell. BenchmarkResults are the same to the last digit for the same number.
        device: such as cuda:1 or cpu; the recipe's choice by default.
        keep_old_code: keep cells that other code made, if config and data are the same.
        page: Markdown file that "document" writes.
        **overrides: any other top-level key of the configs, for every cell.
    """
    if task not in TASKS:
        raise ValueError(f"the task must be one of {', '.join(TASKS)}, got {task!r}.")
    output = Path(str(output_dir)).absolute()
    if task == "document":
        write_benchmark_page(read_results(output), Path(page))
        say(f"wrote {page}")
        return
    keep_old_code = switch("keep_old_code", keep_old_code)
    command = _shown(recipes=recipes, seeds=seeds, max_epochs=max_epochs, **overrides)
    settings = overrides | {k: v for k, v in (("max_epochs", max_epochs), ("device", device)) if v is not None}
    folder = str(Path(str(dataset_dir)).absolute()) if str(dataset_dir) else ""
    cells = make_cells(find_recipes(recipes), whole_numbers("seeds", seeds, 0), folder, output, settings)
    failures = run_on_this_machine(cells, jobs, threads, device, keep_old_code) if task == "run" else {}
    done = done_cells(cells, keep_old_code)
    for name, reason in failures.items():
        say(f"\n{name} failed: {reason}\n")
    with_baselines = {cell.data for cell in done if cell.seed is None}
    if not failures or any(cell.seed is not None and cell.data in with_baselines for cell in done):
        write_results(cells, done, folder, output, command)
        write_benchmark_report(read_results(output))
        say(f"wrote {output / 'report.html'}")
    if failures:
        raise ValueError(f"{len(failures)} of {len(cells)} cells failed; the same command tries them again.")


def _shown(**values: Any) -> str:
    """The command as one types it, without the places and the number of jobs of this machine."""
    values = {name: value for name, value in values.items() if value is not None and name not in MACHINE_KEYS}
    texts = {n: ",".join(map(str, v)) if isinstance(v, tuple) else str(v) for n, v in values.items()}
    texts = {n: Path(text).name if Path(text).is_absolute() else text for n, text in texts.items()}
    words = [f"--{name} {typed(text)}" for name, text in texts.items()]
    return " ".join(["python -m scripts.studies.benchmark", *words, "--dataset_dir DATA --output_dir OUT"])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a time limit interrupts like Ctrl-C
    run_command(benchmark, "python -m scripts.studies.benchmark")
