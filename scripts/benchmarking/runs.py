# SPDX-License-Identifier: Apache-2.0
"""What each cell cost and where it ran, and whether the whole was less than it should be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from .cells import Cell
from .factors import factors
from .record import CellRecord
from .verdicts import MIN_SEEDS

__all__ = ["budget", "runs_table"]


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
