# SPDX-License-Identifier: Apache-2.0
"""Several trainings side by side: ``python -m scripts latent compare``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..evaluation.statistics import bootstrap_interval
from ..files.atomic import replacing, write_csv

__all__ = ["compare_trainings", "comparison_markdown", "comparison_table"]

SUMMARY = "summary.json"
TABLES: dict[str, tuple[str, dict[str, str]]] = {
    "attributes": (
        "attribute",
        {
            "spearman_own": "Spearman, own",
            "spearman_best_other": "Spearman, best other",
            "monotonic_share": "monotonic share",
            "effect_size": "effect size",
        },
    ),
    "conditional": ("attribute", {"spearman": "asked for and got, Spearman"}),
    "measures": ("measure", {"value": "measure"}),
    "reconstruction": ("class", {"dice": "Dice"}),
    "validity": (
        "masks",
        {"valid_before": "plausible, before", "valid_after": "plausible, after", "dice_before": "Dice, before"}
        | {"dice_after": "Dice, after"},
    ),
}
"""For each table, the column that names what was measured, and the quantities with their titles."""
OWN = "Spearman, own"


def compare_trainings(folders: Sequence[Path], output_dir: Path) -> list[Path]:
    """Write :func:`comparison_table` as comparison.csv and comparison.md, and give their paths.

    Raises:
        FileNotFoundError: a folder holds no results.
        ValueError: the results are of different parts of a cohort or of different subjects.
    """
    table = comparison_table(folders)
    written = [output_dir / f"comparison.{ending}" for ending in ("csv", "md")]
    write_csv(written[0], table)
    with replacing(written[1]) as partial:
        partial.write_text(comparison_markdown(table), encoding="utf-8")
    return written


def comparison_table(folders: Sequence[Path]) -> pd.DataFrame:
    """Results of ``evaluate`` for several trainings, one row per recipe and quantity.

    Args:
        folders: folders that ``evaluate`` wrote, for any recipes of tissue masks and any number of trainings of each.

    Returns:
        Columns ``recipe``, ``quantity``, ``of`` (attribute, class or kind of masks), number of ``trainings``, ``mean``
        and ``sd`` over the trainings, and for what is measured on subjects the 95 % interval ``low`` to ``high``: by
        bootstrap of the subjects' means over the trainings, for rank correlations the mean of the trainings' intervals.

    Raises:
        FileNotFoundError: a folder holds no results.
        ValueError: the results are of different parts of a cohort or of different subjects.
    """
    table = pd.concat([_values(folder) for folder in folders], ignore_index=True)
    if len(table[["part", "subjects"]].drop_duplicates()) > 1:
        raise ValueError("the folders hold results of different subjects or parts of a cohort; compare like with like.")
    rows = []
    for (recipe, quantity, of), part in table.groupby(["recipe", "quantity", "of"], sort=False):
        trainings = part.groupby("folder")["value"].mean()
        low, high = part["low"].mean(), part["high"].mean()
        if part["subject"].notna().all():
            low, high = bootstrap_interval(part.groupby("subject")["value"].mean().to_numpy(), 0)
        named = {"recipe": recipe, "quantity": quantity, "of": of, "trainings": len(trainings)}
        rows.append(named | {"mean": trainings.mean(), "sd": trainings.std(ddof=1), "low": low, "high": high})
    return pd.DataFrame(rows).round(4)


def comparison_markdown(table: pd.DataFrame) -> str:
    """The table as Markdown: quantities below each other, recipes side by side, mean ± sd over trainings [interval]."""
    recipes = list(dict.fromkeys(table["recipe"]))
    lines = ["| | " + " | ".join(recipes) + " |", "|---" * (len(recipes) + 1) + "|"]
    for (quantity, of), part in table.groupby(["quantity", "of"], sort=False):
        cells: dict[str, Any] = {row.recipe: row for row in part.itertuples()}
        name = f"{quantity}, {of.replace('_', ' ')}" if of else quantity
        shown = [_cell(cells[recipe]) if recipe in cells else "" for recipe in recipes]
        lines.append(f"| {name} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def _cell(row: Any) -> str:
    digits = 1 if abs(row.mean) >= 10 else 3
    spread = f" ± {row.sd:.{digits}f}" if np.isfinite(row.sd) else ""
    interval = f" [{row.low:.{digits}f}, {row.high:.{digits}f}]" if np.isfinite(row.low) else ""
    return f"{row.mean:.{digits}f}{spread}{interval}"


def _values(folder: Path) -> pd.DataFrame:
    """All results of one training, one row each, or one per subject."""
    if not (folder / SUMMARY).is_file() or not (folder / "attributes.csv").is_file():
        raise FileNotFoundError(
            f"{folder} holds no results of tissue masks: make them with python -m scripts latent evaluate "
            f"--recipe RECIPE --dataset_dir DATA --output_dir {folder}."
        )
    parts = []
    for name, (of, quantities) in TABLES.items():
        table = pd.read_csv(folder / f"{name}.csv").rename(columns={of: "of", **quantities})
        kept = ["of", *(["subject"] if "subject" in table else [])]
        known = [name for name in quantities.values() if name in table]  # older results have fewer
        parts.append(table.melt(kept, known, "quantity").dropna(subset="value"))
    summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    single = {"KL (nats)": summary["kl_nats"], "active units": summary["active_units"]}
    parts.append(pd.DataFrame([{"quantity": name, "of": "", "value": value} for name, value in single.items()]))
    values = (
        pd.concat(parts, ignore_index=True)
        .dropna(subset="value")
        .reindex(columns=["of", "quantity", "value", "subject"])
    )
    own = values["quantity"] == OWN
    values.loc[own, "value"] = values.loc[own, "value"].abs()
    limits = pd.read_csv(folder / "intervals.csv").rename(columns={"attribute": "of"}).assign(quantity=OWN)
    values = values.merge(limits, "left", ["of", "quantity"])
    part = summary["part"]
    return values.assign(folder=str(folder), recipe=summary["recipe"], part=part, subjects=summary["subjects"][part])
