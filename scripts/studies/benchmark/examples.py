# SPDX-License-Identifier: Apache-2.0
"""Slices restored again by several trained networks, side by side: typical ones and the worst."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from monai.bundle import ConfigParser
from torch import Tensor

from ...evaluation import Condition, RestoreAndMeasure, make_conditions, subject_slices, trained_network
from ...evaluation.report import median_slice, worst_slice
from ...evaluation.subjects import SubjectSlices
from .answers import CLEAN, MAIN_KIND, answers, best_of_each_network
from .results import BenchmarkResults

__all__ = ["WITH_WORST", "Example", "examples"]

WITH_WORST = (MAIN_KIND, "holes")


@dataclass(frozen=True)
class Example:
    """One slice.

    Attributes:
        kind: of the damage.
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
        results: of the benchmark.
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
