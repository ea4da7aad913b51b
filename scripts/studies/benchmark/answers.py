# SPDX-License-Identifier: Apache-2.0
"""Which network to use for which damage, and by how much it matters; and slices that show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from monai.bundle import ConfigParser
from torch import Tensor

from ...evaluation import Condition, RestoreAndMeasure, make_conditions, subject_slices, trained_network
from ...evaluation.report import median_slice, worst_slice
from ...evaluation.subjects import SubjectSlices
from .results import BenchmarkResults
from .values import HIGHER_IS_BETTER, WHOLE_KIND, Quantity
from .verdicts import Gain

__all__ = [
    "MAIN_KIND", "PUBLISHED", "WITH_WORST", "Answer", "Example", "answers", "best_of_each_network", "examples",
    "main_measures", "ranking",
]  # fmt: skip

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
        measure: measure of the answer.
        best: the trained network with the best mean.
        row: row of the summary.
        over_input: its gain over the damaged input; ``None`` on undamaged slices, which cannot get better.
        over_classical: its gain over the best classical filter; ``None`` where there is none.
        next: gain over the next network.
        as_good: other networks that are not worse by a difference that is significant and matters.
        advice: advice in words.
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
        classical_over_input = results.pairs.gain(data, measure, classical[0], INPUT) if classical else None
        others = [(name, results.pairs.gain(data, measure, best, name)) for name in networks[1:]]
        yield Answer(
            measure,
            best,
            rows[rows["model"] == best].iloc[0],
            over_input,
            over_classical,
            others[0][1] if others else None,
            tuple(name for name, gain in others if gain is not None and not gain.matters),
            _advice(measure, over_input, over_classical, classical_over_input),
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


def _advice(
    measure: Quantity, over_input: Gain | None, over_classical: Gain | None, classical_over_input: Gain | None
) -> str:
    """What to do: the network has to beat the input and the best classical filter, and the filter the input.

    A difference that is not significant although it would matter decides nothing.
    """
    if measure.corruption == CLEAN:
        return "leave it as it is"
    if over_input is None:
        return "cannot tell"
    if all(gain is None or _better(gain) for gain in (over_input, over_classical)):
        return "the network"
    rival, advice = over_input, "leave it as it is"
    if over_classical is not None and classical_over_input is not None and _better(classical_over_input):
        rival, advice = over_classical, "the classical method"
    if rival.matters and rival.mean < 0:
        return advice
    if abs(rival.mean) > rival.margin:
        return "cannot tell: too few subjects"
    return f"{advice}: no network is better"


def _better(gain: Gain) -> bool:
    return gain.matters and gain.mean > 0


WITH_WORST = (MAIN_KIND, "holes")


@dataclass(frozen=True)
class Example:
    """One slice.

    Attributes:
        kind: kind of the damage.
        rank: ``median`` or ``worst``.
        title: damage and rank in words.
        text: subject, slice, how it was chosen, and the damage in words.
        images: ``(H, W)`` by name: ``clean``, ``damaged``, then the methods'.
    """

    kind: str
    rank: str
    title: str
    text: str
    images: dict[str, Tensor]


def examples(results: BenchmarkResults, data: str, dataset_dir: str) -> Iterator[Example]:
    """The median case of each kind of damage at its strongest severity; of the main kind and of holes the worst too.

    The best model of each network and the best classical method restore it, on the CPU in float32. Median and worst are
    meant in the error of the best model over the test subjects, then over the subject's slices.

    Args:
        results: results of the benchmark.
        data: kind of slices.
        dataset_dir: cohort to take the slices from, the benchmark's own or another; empty for the demo cohort.
    """
    models = best_of_each_network(results, data)
    folders = [results.folder / "cells" / model / f"seed_{results.facts['seeds'][0]}" for model in models]
    parsers = [_parser(folder, dataset_dir) for folder in folders]
    networks = {
        model: trained_network(parser.get_parsed_content("network_def"), str(folder / "model.pt"), torch.device("cpu"))
        for model, folder, parser in zip(models, folders, parsers, strict=True)
    }
    makers = parsers[0].get_parsed_content("evaluate#methods")
    subjects = [subject_slices(item) for item in parsers[0].get_parsed_content("evaluate#dataset")]
    classical = {a.measure.corruption: a.over_classical.over for a in answers(results, data) if a.over_classical}
    strongest = {kind: severity for kind, severity, _ in results.facts["conditions"] if kind != CLEAN}
    for kind, severity in strongest.items():
        (condition,) = make_conditions([kind], [severity], results.facts["damage_seed"])
        order = sorted(subjects, key=lambda subject: _error(networks[models[0]], subject, condition))
        named = makers[classical[kind]]() if kind in classical else None
        step = RestoreAndMeasure(networks | ({classical[kind]: named} if named is not None else {}), [condition])
        yield _example(step, order[len(order) // 2], condition, "median", median_slice)
        if kind in WITH_WORST:
            yield _example(step, order[-1], condition, "worst", worst_slice)


def _parser(folder: Path, dataset_dir: str) -> ConfigParser:
    """The merged config of a cell, for another cohort and without a GPU."""
    parser = ConfigParser()
    parser.read_config(folder / "config.yaml")
    parser.update({"dataset_dir": dataset_dir, "device": "cpu", "amp": False})
    return parser


def _error(network: Callable[[Tensor], Tensor], subject: SubjectSlices, condition: Condition) -> float:
    return float((network(subject.damage(condition.corruption)) - subject.target).square().mean())


def _example(
    step: RestoreAndMeasure, subject: SubjectSlices, condition: Condition, rank: str, choose: Callable[[Tensor], int]
) -> Example:
    kept, images = step.pictures(subject, condition, choose)
    size = "largest" if rank == "worst" else "median"
    text = f"{subject.subject}, slice {kept}, the one with the {size} error of {next(iter(step.methods))}"
    title = f"{condition.name.replace('_', ' ')}: {rank} case"
    return Example(condition.kind, rank, title, f"{text} ({condition.description})", images)
