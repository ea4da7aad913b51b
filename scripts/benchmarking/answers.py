# SPDX-License-Identifier: Apache-2.0
"""Which network to use for which damage, and by how much it matters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from .comparisons import SIGNIFICANCE
from .results import Results
from .values import HIGHER_IS_BETTER, WHOLE_KIND, Measure
from .verdicts import MARGINS

__all__ = ["INPUT", "NOT_CLASSICAL", "Answer", "Gain", "Pairs", "answers", "best_of_each_network", "main_measures"]

INPUT = "input"
NOT_CLASSICAL = (INPUT, "published")
"""Rows that are neither trained here nor a classical filter."""
MAIN_KIND = "mixed"


@dataclass(frozen=True)
class Gain:
    """How much better one row is than another, positive where it is better.

    Attributes:
        over: the other row.
        mean: of the paired differences.
        low: lower end of their 95 % interval over subjects.
        high: its upper end.
        p_holm: corrected p-value.
        matters: significant, and larger than the margin that does not matter.
    """

    over: str
    mean: float
    low: float
    high: float
    p_holm: float
    matters: bool


class Pairs:
    """Looks up pairs of rows in the statistics, in either direction.

    Args:
        statistics: of the results.
    """

    def __init__(self, statistics: pd.DataFrame) -> None:
        cells = statistics[statistics["design"] == ""]
        keys = ["data", "a", "b", *Measure._fields]
        self.rows = dict(zip(cells[keys].itertuples(index=False, name=None), cells.to_dict("records"), strict=True))

    def gain(self, data: str, measure: Measure, of: str, over: str) -> Gain | None:
        """How much better ``of`` is; ``None`` where the two were not compared (infinite PSNR, no such region)."""
        for a, b, sign in ((of, over, 1), (over, of, -1)):
            row = self.rows.get((data, a, b, *measure))
            if row is not None:
                sign *= 1 if measure.metric in HIGHER_IS_BETTER else -1
                low, high = sorted((sign * row["ci_low"], sign * row["ci_high"]))
                mean = sign * row["difference"]
                matters = row["p_holm"] < SIGNIFICANCE and abs(mean) > MARGINS.get(measure.metric, 0.0)
                return Gain(over, mean, low, high, row["p_holm"], matters)
        return None


@dataclass(frozen=True)
class Answer:
    """The answer for one damage.

    Attributes:
        measure: by which it is given.
        best: the trained network with the best mean.
        row: its row of the summary.
        over_input: its gain over the damaged input; ``None`` on undamaged slices, which cannot get better.
        over_classical: its gain over the best classical filter; ``None`` where there is none.
        next: gain over the next network.
        as_good: other networks that are not worse by a difference that is significant and matters.
        advice: in words.
    """

    measure: Measure
    best: str
    row: pd.Series
    over_input: Gain | None
    over_classical: Gain | None
    next: Gain | None
    as_good: tuple[str, ...]
    advice: str


def main_measures(summary: pd.DataFrame, data: str, metric: str = "psnr") -> list[Measure]:
    """The columns of the overview: each kind of damage as a whole inside the head, and holes inside the holes."""
    here = summary[(summary["data"] == data) & (summary["metric"] == metric) & (summary["severity"] == WHOLE_KIND)]
    region = "head" if "head" in set(here["region"]) else "whole"
    measures = [Measure(kind, WHOLE_KIND, region, metric) for kind in here["corruption"].unique()]
    if ((here["corruption"] == "holes") & (here["region"] == "hole")).any():
        measures.insert([m.corruption for m in measures].index("holes") + 1, Measure("holes", 0, "hole", metric))
    return measures


def ranking(summary: pd.DataFrame, data: str, measure: Measure) -> pd.DataFrame:
    """Rows of the summary by one measure, the best first."""
    rows = summary[(summary["data"] == data) & (summary[list(Measure._fields)] == list(measure)).all(axis=1)]
    return rows.sort_values("mean", ascending=measure.metric not in HIGHER_IS_BETTER, kind="stable")


def answers(results: Results, data: str) -> Iterator[Answer]:
    """One answer for each of the main measures on one kind of slices."""
    pairs = Pairs(results.statistics)
    trained = set(results.runs["model"])
    for measure in main_measures(results.summary, data):
        rows = ranking(results.summary, data, measure)
        networks = [name for name in rows["model"] if name in trained]
        if not networks:
            continue
        best = networks[0]
        classical = [name for name in rows["model"] if name not in trained and name not in NOT_CLASSICAL]
        over_input = pairs.gain(data, measure, best, INPUT)
        over_classical = pairs.gain(data, measure, best, classical[0]) if classical else None
        others = [(name, pairs.gain(data, measure, best, name)) for name in networks[1:]]
        yield Answer(
            measure,
            best,
            rows[rows["model"] == best].iloc[0],
            over_input,
            over_classical,
            others[0][1] if others else None,
            tuple(name for name, gain in others if gain is not None and not gain.matters),
            _advice(over_input, over_classical),
        )


def best_of_each_network(results: Results, data: str) -> list[str]:
    """For each class of networks the model with the best mean under the main damage; the best class first."""
    measures = main_measures(results.summary, data)
    measure = next((m for m in measures if m.corruption == MAIN_KIND), measures[0])
    classes = dict(zip(results.runs["model"], results.runs["network"], strict=True))
    chosen: dict[str, str] = {}
    for name in ranking(results.summary, data, measure)["model"]:
        if name in classes and isinstance(classes[name], str):
            chosen.setdefault(classes[name], name)
    return list(chosen.values())


def _advice(over_input: Gain | None, over_classical: Gain | None) -> str:
    if over_input is None:
        return "leave it as it is"
    if not over_input.matters or over_input.mean < 0:
        return "leave it as it is: no network helps"
    if over_classical is not None and over_classical.matters and over_classical.mean < 0:
        return "the classical filter"
    if over_classical is not None and not over_classical.matters:
        return "the network or the classical filter"
    return "the network"
