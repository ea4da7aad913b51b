# SPDX-License-Identifier: Apache-2.0
"""What the report and the document of a benchmark say, as plain texts for their templates."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from ...evaluation.figures import method_label
from .answers import answers, main_measures, ranking
from .claims import CLAIMS
from .results import BenchmarkResults
from .values import Quantity
from .verdicts import RULE, Gain

__all__ = ["benchmark_content", "damage_label"]

FORMATS = {"psnr": ("{:.1f}", "{:+.2f} dB"), "dssim": ("{:.4f}", "{:+.4f}")}
"""How a mean and a difference are printed."""
FADES_AT = 3.0
"""Decibels behind the best at which a cell of the overview has almost lost its colour."""


def benchmark_content(results: BenchmarkResults) -> dict[str, Any]:
    """All texts and figures of a benchmark but the pictures.

    Args:
        results: of the benchmark.

    Returns:
        ``facts``, ``sets`` (for each kind of slices ``name``, ``answers`` and ``overview``), ``claims`` with ``rule``,
        and ``runs`` with ``networks``.
    """
    return {
        "facts": _facts(results),
        "sets": [
            {"name": data, "answers": list(_answers(results, data)), "overview": _overview(results, data)}
            for data in results.summary["data"].unique()
        ],
        "claims": list(_claims(results.claims)),
        "rule": RULE,
        "runs": results.runs.to_dict("records"),
        "networks": _speeds(results.runs),
    }


def damage_label(measure: Quantity) -> str:
    """A damage and the region where it is judged, in words."""
    kind = "no damage (control)" if measure.corruption == "clean" else measure.corruption.replace("_", " ")
    return kind + {"hole": ", inside the holes", "whole": ", whole slices"}.get(measure.region, "")


def _facts(results: BenchmarkResults) -> dict[str, Any]:
    facts, runs = results.facts, results.runs
    subjects = facts["subjects"]
    sizes = (f"{part} {count} subjects, {facts['slices'][part]} slices" for part, count in subjects.items())
    return {
        **facts,
        "subject_count": subjects[facts["part"]],
        "sizes": ", ".join(sizes),
        "machines": ", ".join(sorted(set(runs["machine"]))),
        "commits": ", ".join(sorted(set(runs["commit"]))),
        "versions": ", ".join(sorted(set(runs["versions"]))),
        "hours": f"{runs[['training_seconds', 'evaluating_seconds']].sum().sum() / 3600:.1f}",
        "old_code": f"{runs['old_code'].sum()} of {len(runs)}" if runs["old_code"].any() else "",
    }


def _answers(results: BenchmarkResults, data: str) -> Iterator[dict[str, str]]:
    for answer in answers(results, data):
        yield {
            "damage": damage_label(answer.measure),
            "advice": answer.advice,
            "best": answer.best,
            "figure": f"{_mean(answer.row)} dB {_interval(answer.row)}".strip(),
            "seeds": _seeds(answer.row),
            "over_input": _gain(answer.over_input),
            "over_classical": _gain(answer.over_classical, named=True),
            "next": _gain(answer.next, named=True),
            "as_good": ", ".join(answer.as_good) or "none",
            "as_good_count": str(len(answer.as_good)),
        }


def _overview(results: BenchmarkResults, data: str) -> dict[str, Any]:
    """Rows are all models and baselines, columns the main measures, cells what the heat table shows."""
    measures = main_measures(results.summary, data)
    trained = set(results.runs["model"])
    ranked = {measure: ranking(results.summary, data, measure) for measure in measures}
    best = {m: next((name for name in rows["model"] if name in trained), "") for m, rows in ranked.items()}
    names = list(dict.fromkeys(name for rows in ranked.values() for name in rows["model"]))
    names.sort(key=lambda name: name not in trained)  # networks first, each group as the first measure ranks it

    def cell(name: str, measure: Quantity) -> dict[str, Any]:
        found = ranked[measure][ranked[measure]["model"] == name]
        if found.empty:
            return {"mean": "", "interval": "", "seeds": "", "shade": 0.0, "best": False, "as_good": False}
        row, gain = found.iloc[0], results.pairs.gain(data, measure, best[measure], name)
        behind = gain.mean if gain is not None else (0.0 if name == best[measure] else math.inf)
        return {
            "mean": _mean(row), "interval": _interval(row), "seeds": _seeds(row),
            "shade": round(math.exp(-max(behind, 0.0) / (FADES_AT / 3)), 3),
            "best": name == best[measure],
            "as_good": gain is not None and not gain.matters and name in trained,
        }  # fmt: skip

    rows = [
        {
            "name": name if name in trained else method_label(name),
            "trained": name in trained,
            "cells": [cell(name, measure) for measure in measures],
        }
        for name in names
    ]
    return {"columns": [damage_label(measure) for measure in measures], "rows": rows}


def _claims(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """One entry for each claim and design, in the order of the claims."""
    origins = {claim.name: claim for claim in CLAIMS}
    for (name, design), rows in table.groupby(["claim", "judged_in"], sort=False):
        first = rows.iloc[0]
        measured = "a" in rows and bool(rows["a"].notna().any())
        claim = origins[str(name)]
        yield {
            "statement": claim.statement,
            "origin": claim.origin,
            "design": design,
            "verdict": first["verdict"],
            "reason": first["reason"],
            "where": damage_label(Quantity(claim.damage, 0, claim.region, "")),
            "n": _range(rows["n"]) if measured else "",
            "seeds": _range(rows["seeds"]) if measured else "",
            "summary": "; ".join(_in_short(part) for _, part in rows.groupby("metric", sort=False)) if measured else "",
            "evidence": [_comparison(row) for row in rows.to_dict("records")] if measured else [],
        }


def _in_short(rows: pd.DataFrame) -> str:
    """Range of the differences by one metric, the spreads and the weakest test."""
    metric = rows["metric"].iloc[0]
    form = FORMATS[metric][1].removesuffix(" dB")
    unit = " dB" if metric == "psnr" else ""
    ends = [form.format(rows["difference"].min()), form.format(rows["difference"].max())]
    text = f"{metric.upper()} {' to '.join(dict.fromkeys(ends))}{unit}"
    text += f" (sd between subjects up to {form.format(rows['subject_sd'].max()).lstrip('+')}"
    if rows["seed_sd"].notna().any():
        text += f", between seeds up to {form.format(rows['seed_sd'].max()).lstrip('+')}"
    return f"{text}; p up to {rows['p_holm'].max():.2g})"


def _comparison(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the statistics, with what is printed of its figures."""
    form = FORMATS[row["metric"]][1]
    return row | {
        "difference": form.format(row["difference"]),
        "interval": _ends(form, row["ci_low"], row["ci_high"]),
        "seed_interval": _ends(form, row["seed_low"], row["seed_high"]),
        "subject_sd": form.format(row["subject_sd"]).lstrip("+"),
        "seed_sd": "" if math.isnan(row["seed_sd"]) else form.format(row["seed_sd"]).lstrip("+"),
    }


def _speeds(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """Training speed of each network on each machine: ``median``, ``min``, ``max`` and ``size`` over its cells."""
    groups = runs.dropna(subset="network").groupby(["network", "machine"], sort=False)["slices_per_second"]
    return groups.agg(["median", "min", "max", "size"]).reset_index().to_dict("records")


def _mean(row: pd.Series) -> str:
    return "no error" if math.isinf(row["mean"]) else FORMATS[row["metric"]][0].format(row["mean"])


def _interval(row: pd.Series) -> str:
    return _ends(FORMATS[row["metric"]][0], row["ci_low"], row["ci_high"])


def _seeds(row: pd.Series) -> str:
    return "" if math.isnan(row["seed_sd"]) else f"± {row['seed_sd']:.2f}"


def _ends(form: str, low: float, high: float) -> str:
    unit = " dB" if form.endswith(" dB") else ""
    form = form.removesuffix(" dB")
    return "" if math.isnan(low) else f"[{form.format(low)}, {form.format(high)}]{unit}"


def _gain(gain: Gain | None, named: bool = False) -> str:
    if gain is None:
        return ""
    over = f" over {method_label(gain.over)}" if named else ""
    note = "" if gain.significant else ", not significant"
    return f"{FORMATS['psnr'][1].format(gain.mean)} {_ends('{:+.2f}', gain.low, gain.high)}{over}{note}"


def _range(numbers: pd.Series) -> str:
    low, high = int(numbers.min()), int(numbers.max())
    return f"{low}" if low == high else f"{low} to {high}"
