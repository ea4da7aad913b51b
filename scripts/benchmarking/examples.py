# SPDX-License-Identifier: Apache-2.0
"""Slices restored again by several trained networks, side by side: typical ones and the worst."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from monai.bundle import ConfigParser
from torch import Tensor

from ..evaluation import RestoreAndMeasure, make_conditions, subject_slices, trained_network
from ..reports.evaluation_report import median_slice, worst_slice
from .answers import MAIN_KIND, answers, best_of_each_network
from .results import Results

__all__ = ["Example", "examples"]


@dataclass(frozen=True)
class Example:
    """One slice.

    Attributes:
        title: damage and how the case was chosen.
        text: subject, slice and the damage in words.
        images: ``(H, W)`` by name: ``clean``, ``damaged``, then the methods'.
    """

    title: str
    text: str
    images: dict[str, Tensor]


def examples(results: Results, data: str, dataset_dir: str, worst: bool = True) -> Iterator[Example]:
    """The median case of each kind of damage at its strongest severity, and the worst of the main and of the holes.

    Args:
        results: of the benchmark.
        data: kind of slices.
        dataset_dir: cohort to take the slices from; where it is not the one of the benchmark, its first test subject
            stands for the median one.
        worst: with the worst cases, which only the benchmark's own cohort has.
    """
    models = best_of_each_network(results, data)
    restorer = _Restorer(results, models, dataset_dir)
    classical = {a.measure.corruption: a.over_classical.over for a in answers(results, data) if a.over_classical}
    strongest: dict[str, tuple[str, int]] = {}
    for kind, severity, _ in results.facts["conditions"]:
        if kind != "clean":
            strongest[kind] = (kind, severity)
    for kind, severity in strongest.values():
        order = _subjects_by_psnr(results, models[0], kind, severity) if worst else []
        yield restorer.example(kind, severity, "median", order[len(order) // 2 : len(order) // 2 + 1], classical)
        if worst and kind in (MAIN_KIND, "holes"):
            yield restorer.example(kind, severity, "worst", order[:1], classical)


class _Restorer:
    """Loads the first seed of each model, and the cohort as the first model sees it."""

    def __init__(self, results: Results, models: Sequence[str], dataset_dir: str) -> None:
        seed = results.facts["seeds"][0]
        folders = [results.folder / "cells" / model / f"seed_{seed}" for model in models]
        parsers = [_parser(folder, dataset_dir) for folder in folders]
        device = torch.device("cpu")
        self.networks = {
            model: trained_network(parser.get_parsed_content("network_def"), str(folder / "model.pt"), device)
            for model, folder, parser in zip(models, folders, parsers, strict=True)
        }
        self.dataset = parsers[0].get_parsed_content("evaluate#dataset")
        self.makers = parsers[0].get_parsed_content("evaluate#methods")
        self.damage_seed = results.facts["damage_seed"]

    def example(
        self, kind: str, severity: int, rank: str, subject: Sequence[str], classical: dict[str, str]
    ) -> Example:
        """Restore one slice of the subject with that name; of the first one where there is none."""
        (condition,) = make_conditions([kind], [severity], self.damage_seed)
        methods = dict(self.networks)
        if kind in classical:
            methods[classical[kind]] = self.makers[classical[kind]]()
        names = [str(item["subject"]) for item in self.dataset.data]
        index = names.index(subject[0]) if subject else 0
        choose: Callable[[Tensor], int] = worst_slice if rank == "worst" else median_slice
        kept, images = RestoreAndMeasure(methods, [condition]).pictures(
            subject_slices(self.dataset[index]), condition, choose
        )
        return Example(
            f"{condition.name.replace('_', ' ')}: {rank} case",
            f"{names[index]}, slice {kept}, the one with the {'largest' if rank == 'worst' else 'median'} error of "
            f"{next(iter(self.networks))} ({condition.description})",
            images,
        )


def _parser(folder: Path, dataset_dir: str) -> ConfigParser:
    """The merged config of a cell, for another cohort and without a GPU."""
    parser = ConfigParser()
    parser.read_config(folder / "config.yaml")
    parser.update({"dataset_dir": dataset_dir, "device": "cpu", "amp": False})
    return parser


def _subjects_by_psnr(results: Results, model: str, kind: str, severity: int) -> list[str]:
    """Subjects by the model's PSNR over whole slices, mean over seeds, the worst first."""
    folders = [results.folder / "cells" / model / f"seed_{seed}" for seed in results.facts["seeds"]]
    rows = pd.concat([pd.read_csv(f / "metrics.csv", dtype={"subject": str}) for f in folders if f.is_dir()])
    rows = rows[(rows["corruption"] == kind) & (rows["severity"] == severity) & (rows["region"] == "whole")]
    return [str(name) for name in rows.groupby("subject")["psnr"].mean().sort_values().index]
