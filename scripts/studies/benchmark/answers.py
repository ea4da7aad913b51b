# SPDX-License-Identifier: Apache-2.0
"""Which network to use for which damage, and by how much it matters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from .results import BenchmarkResults
from .values import HIGHER_IS_BETTER, WHOLE_KIND, Quantity
from .verdicts import Gain

__all__ = [
    "CLEAN",
    "INPUT",
    "MAIN_KIND",
    "PUBLISHED",
    "Answer",
    "answers",
    "best_of_each_network",
    "main_measures",
    "ranking",
]

INPUT = "input"
PUBLISHED = "published"
"""What the names of the thesis's published weights begin with."""
NOT_CLASSICAL = (INPUT, PUBLISHED)
"""What the names of rows begin with that are neither trained here nor a classical filter."""
MAIN_KIND = "mixed"
CLEAN = "clean"


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

    measure: Quantity
    best: str
    row: pd.Series
    over_input: Gain | None
    over_classical: Gain | None
    next: Gain | None
    as_good: tuple[str, ...]
    advice: str


def main_measures(summary: pd.DataFrame, data: str, metric: str = "psnr") -> list[Quantity]:
    """The columns of the overview: each kind of damage as a whole inside the head, and holes inside the holes."""
    here = summary[(summary["data"] == data) & (summary["metric"] == metric) & (summary["severity"] == WHOLE_KIND)]
    region = "head" if "head" in set(here["region"]) else "whole"
    measures = [Quantity(kind, WHOLE_KIND, region, metric) for kind in here["corruption"].unique()]
    if ((here["corruption"] == "holes") & (here["region"] == "hole")).any():
        measures.insert([m.corruption for m in measures].index("holes") + 1, Quantity("holes", 0, "hole", metric))
    return measures


def ranking(summary: pd.DataFrame, data: str, measure: Quantity) -> pd.DataFrame:
    """Rows of the summary by one measure, the best first."""
    rows = summary[(summary["data"] == data) & (summary[list(Quantity._fields)] == list(measure)).all(axis=1)]
    return rows.sort_values("mean", ascending=measure.metric not in HIGHER_IS_BETTER, kind="stable")


def answers(results: BenchmarkResults, data: str) -> Iterator[Answer]:
    """One answer for each of the main measures on one kind of slices."""
    trained = set(results.runs["model"])
    for measure in main_measures(results.summary, data):
        rows = ranking(results.summary, data, measure)
        networks = [name for name in rows["model"] if name in trained]
        if not networks:
            continue
        best = networks[0]
        classical = [name for name in rows["model"] if name not in trained and not name.startswith(NOT_CLASSICAL)]
        over_input = results.pairs.gain(data, measure, best, INPUT)
        over_classical = results.pairs.gain(data, measure, best, classical[0]) if classical else None
        others = [(name, results.pairs.gain(data, measure, best, name)) for name in networks[1:]]
        yield Answer(
            measure,
            best,
            rows[rows["model"] == best].iloc[0],
            over_input,
            over_classical,
            others[0][1] if others else None,
            tuple(name for name, gain in others if gain is not None and not gain.matters),
            _advice(measure, over_input, over_classical),
        )


def best_of_each_network(results: BenchmarkResults, data: str) -> list[str]:
    """For each class of networks the model with the best mean under the main damage; the best class first."""
    measures = main_measures(results.summary, data)
    measure = next((m for m in measures if m.corruption == MAIN_KIND), measures[0])
    classes = dict(zip(results.runs["model"], results.runs["network"], strict=True))
    chosen: dict[str, str] = {}
    for name in ranking(results.summary, data, measure)["model"]:
        if name in classes and isinstance(classes[name], str):
            chosen.setdefault(classes[name], name)
    return list(chosen.values())


def _advice(measure: Quantity, over_input: Gain | None, over_classical: Gain | None) -> str:
    """What to do: a difference that is not significant although it would matter decides nothing."""
    if measure.corruption == CLEAN:
        return "leave it as it is"
    if over_input is None:
        return "cannot tell"
    for gain, advice in ((over_input, "leave it as it is"), (over_classical, "the classical method")):
        if gain is not None and not (gain.matters and gain.mean > 0):
            if gain.matters:
                return advice
            too_few = abs(gain.mean) > gain.margin
            return "cannot tell: too few subjects" if too_few else f"{advice}: no network is better"
    return "the network"
