# SPDX-License-Identifier: Apache-2.0
"""The tables of a benchmark, written from its cells; reports and documents are made from these alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from ...data.cohort import load_cohort
from ...data.split import PARTS
from ...evaluation import make_conditions
from ...files.atomic import replacing, write_json
from ...recipes.provenance import split_hash
from .cells import Cell, factors
from .comparisons import compare, contrasts_of_pairs, summarise_models
from .record import CellRecord
from .values import collect_values
from .verdicts import MIN_SEEDS, Pairs, find_designs, judge, verdict_table

__all__ = ["FACTS_FILE", "TABLES", "BenchmarkResults", "budget", "read_results", "runs_table", "write_results"]


def runs_table(cells: Sequence[Cell], training_slices: int, places: Mapping[str, str]) -> pd.DataFrame:
    """One row for each cell that is done.

    Args:
        cells: of the plan, those that are done.
        training_slices: of the cohort.
        places: paths of this machine and the words that stand for them in the commands.

    Returns:
        ``model``, ``seed``, ``data``, the factors (``damaged``: in training), ``epochs`` that were run of
        ``max_epochs`` of the recipe's own ``full_epochs``, ``training_seconds`` (validation included),
        ``slices_per_second`` of the median epoch, ``evaluating_seconds``, the device, machine, threads, versions,
        commit and code of the training, ``old_code`` where that has changed since, and the ``commands`` that repeat
        it, one a line.
    """
    rows = []
    for cell in cells:
        entries = CellRecord(cell).entries()
        row: dict[str, Any] = {"model": cell.model, "seed": cell.seed, "data": cell.data}
        if cell.seed is not None:
            found = factors(cell.config)
            seconds = pd.read_csv(cell.folder / "history.csv")["seconds"]
            row |= {
                "network": found.network, "loss": found.loss, "l2": found.l2, "damaged": found.damage != "none",
                "epochs": len(seconds), "max_epochs": cell.epochs, "full_epochs": cell.full_epochs,
                "training_seconds": round(seconds.sum(), 1),
                "slices_per_second": round(training_slices / seconds.median(), 1),
            }  # fmt: skip
        entry = entries[cell.steps[0].name]
        row["evaluating_seconds"] = entries["evaluating"]["seconds"]
        row |= {key: entry.get(key, "") for key in ("device", "machine", "threads", "versions", "commit", "date")}
        row["code"] = entry["fingerprint"]["code"]
        row["old_code"] = row["code"] != cell.steps[0].fingerprint["code"]
        row["commands"] = "\n".join(f"OMP_NUM_THREADS={row['threads']} {step.shown(places)}" for step in cell.steps)
        rows.append(row)
    return pd.DataFrame(rows)


def budget(cells: Sequence[Cell], done: Sequence[Cell], every_nth_slice: int = 1) -> str:
    """One sentence that says what was trained, and begins with "Reduced budget" where it is less than it should be.

    Args:
        cells: of the plan.
        done: those of them that are done.
        every_nth_slice: share of the slices that the cohort was made with.
    """
    trained = [cell for cell in cells if cell.seed is not None]
    epochs, full = sorted({cell.epochs for cell in trained}), sorted({cell.full_epochs for cell in trained})
    seeds = sorted(Counter(cell.model for cell in trained).values())
    missing = len(cells) - len(done)
    shorter = any(cell.epochs < cell.full_epochs for cell in trained)
    parts = [
        f"{_range(epochs)} of the recipes' {_range(full)} epochs" if shorter else f"{_range(epochs)} epochs",
        *([f"one of {every_nth_slice} slices of each head"] if every_nth_slice > 1 else []),
        f"{_range(seeds)} of at least {MIN_SEEDS} seeds" if seeds[0] < MIN_SEEDS else f"{_range(seeds)} seeds",
        *([f"{missing} of {len(cells)} cells missing"] if missing else []),
    ]
    reduced = shorter or seeds[0] < MIN_SEEDS or missing or every_nth_slice > 1
    return f"{'Reduced' if reduced else 'Full'} budget: {', '.join(parts)}."


def _range(numbers: Sequence[int]) -> str:
    """The ends of numbers in ascending order."""
    return f"{numbers[0]}" if numbers[0] == numbers[-1] else f"{numbers[0]} to {numbers[-1]}"


FACTS_FILE = "benchmark.json"
TABLES = ("summary", "statistics", "claims", "runs")
TEXTS = ("design", "better", "judged_in", "commit", "date", "versions", "machine")
"""Columns in which nothing is an empty text."""


@dataclass(frozen=True)
class BenchmarkResults:
    """What a benchmark found.

    Attributes:
        folder: of the benchmark.
        facts: budget, cohort, split hash, protocol.
        summary: a row for each model and measure.
        statistics: a row for each contrast and measure.
        claims: a row for each comparison of each claim.
        runs: a row for each cell.
    """

    folder: Path
    facts: Mapping[str, Any]
    summary: pd.DataFrame
    statistics: pd.DataFrame
    claims: pd.DataFrame
    runs: pd.DataFrame

    @cached_property
    def pairs(self) -> Pairs:
        """The statistics of all pairs of rows."""
        return Pairs(self.statistics)


def write_results(
    cells: Sequence[Cell], done: Sequence[Cell], dataset_dir: str, output_dir: Path, command: str
) -> None:
    """Write all tables.

    Networks whose baselines are not done are left out: no table is without the damaged input and a classical filter.

    Args:
        cells: of the plan.
        done: those of them that are done.
        dataset_dir: folder of the cohort.
        output_dir: folder of the benchmark.
        command: that made it, as it is shown.

    Raises:
        ValueError: no network is done, or none beside its baselines.
    """
    with_baselines = {cell.data for cell in done if cell.seed is None}
    done = [cell for cell in done if cell.data in with_baselines]
    trained = {cell.model: cell for cell in done if cell.seed is not None}
    if not trained:
        raise ValueError(f"no network of the {len(cells)} cells in {output_dir} is evaluated beside its baselines yet.")
    values = collect_values(done)
    designs = find_designs({name: factors(cell.config) for name, cell in trained.items()}, values)
    statistics = pd.concat(
        [
            *(compare(found, contrasts_of_pairs(found)) for found in values.values()),
            *(compare(values[design.data], design.contrasts()) for design in designs),
        ],
        ignore_index=True,
    )
    cohort = load_cohort(dataset_dir)
    slices = {part: sum(len(item["slices"]) for item in cohort[part]) for part in PARTS}
    tables = {
        "summary": pd.concat([summarise_models(found) for found in values.values()], ignore_index=True),
        "statistics": statistics,
        "claims": verdict_table(judge(statistics, designs)),
        "runs": runs_table(done, slices["training"], {dataset_dir: "DATA", str(output_dir): "OUT"}),
    }
    for name, table in tables.items():
        with replacing(output_dir / f"{name}.csv") as partial:
            table.to_csv(partial, index=False, float_format="%.6g")
    places = {"dataset_dir": dataset_dir, "command": command}
    write_json(output_dir / FACTS_FILE, _facts(cells, done, cohort, slices) | places)


def read_results(output_dir: Path) -> BenchmarkResults:
    """Read what :func:`write_results` wrote.

    Raises:
        FileNotFoundError: there is no benchmark.
    """
    if not (output_dir / FACTS_FILE).is_file():
        raise FileNotFoundError(
            f"{output_dir} holds no benchmark: run python -m scripts.studies.benchmark --recipes ... --output_dir "
            f"{output_dir}"
        )
    tables = {
        name: pd.read_csv(output_dir / f"{name}.csv", dtype=dict.fromkeys(TEXTS, str)).fillna(dict.fromkeys(TEXTS, ""))
        for name in TABLES
    }
    facts = json.loads((output_dir / FACTS_FILE).read_text(encoding="utf-8"))
    return BenchmarkResults(output_dir, facts, **tables)


def _facts(
    cells: Sequence[Cell], done: Sequence[Cell], cohort: Mapping[str, Any], slices: Mapping[str, int]
) -> dict[str, Any]:
    config = next(cell.config for cell in done if cell.seed is not None)
    part = config["part"]
    conditions = make_conditions(config["kinds"], config["severities"], config["damage_seed"])
    return {
        "budget": budget(cells, done, cohort.get("selection", {}).get("every_nth_slice", 1)),
        "cohort": cohort.get("name", "unnamed"),
        "subjects": {name: len({item["subject"] for item in cohort[name]}) for name in PARTS},
        "slices": dict(slices),
        "split_hash": split_hash(cohort),
        "part": part,
        "seeds": sorted({cell.seed for cell in done if cell.seed is not None}),
        "damage_seed": config["damage_seed"],
        "conditions": [[condition.kind, condition.severity, condition.description] for condition in conditions],
        "missing": [cell.name for cell in cells if cell not in done],
    }
