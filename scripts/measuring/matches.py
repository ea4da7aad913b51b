# SPDX-License-Identifier: Apache-2.0
"""Which works are measured, for which networks, against whom."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from . import monai_way, ours, tried
from .child import Child
from .configs import DEFAULT_NETWORK
from .contender import Contender
from .large_volume import large_sample
from .match import OURS, Entrant
from .task import Task
from .tensorflow_way import tensorflow_child

__all__ = ["Match", "planned_matches"]


@dataclass(frozen=True)
class Match:
    """One work of one network, and who does it; ``OURS`` first."""

    work: str
    network: str
    entrants: Sequence[Entrant]

    @property
    def title(self) -> str:
        """For the progress bar and the logs."""
        return f"{self.work} {self.network}"


def planned_matches(task: Task, networks: Sequence[str], full: bool, tensorflow_python: str = "") -> list[Match]:
    """All matches of a run.

    Args:
        task: common to them; its network is replaced.
        networks: names of networks.
        full: also MONAI's loader with workers, other settings and ways to run the network, and a large volume.
        tensorflow_python: a Python with TensorFlow; empty: without this peer.
    """
    workers = [0, min(4, os.cpu_count() or 1)] if full else [0]  # none, as DataLoader; 4, as the model zoo
    task = replace(task, network=DEFAULT_NETWORK)
    matches = [
        Match("data", "all", [_ours(task, "data"), *_monai(task, "data", workers)]),
        Match("corruption", "all", [_ours(task, "corruption"), _entrant("monai", monai_way.corruption, task)]),
    ]
    for network in networks:
        task = replace(task, network=network)
        tried_settings = _settings(task) if full and network == DEFAULT_NETWORK else []
        peers = {
            "train_step": [
                *_monai(task, "train_step", workers),
                *_tensorflow(task, "train_step", tensorflow_python),
                *tried_settings,
            ],
            "evaluation": _monai(task, "evaluation", workers),
            "inference": _monai(task, "inference", workers),
            "forward": [
                _entrant("plain", tried.plain, task),
                *_tensorflow(task, "forward", tensorflow_python),
                *(_other_ways(task) if full else []),
            ],
        }
        matches += [Match(work, network, [_ours(task, work), *others]) for work, others in peers.items()]
    if full:
        sample = large_sample(task.sample, Path(task.work_dir) / "large")
        task = replace(task, sample=sample, network=DEFAULT_NETWORK)
        entrants = [_ours(task, "inference"), *_monai(task, "inference", [0])]
        matches.append(Match("inference_256", DEFAULT_NETWORK, entrants))
    return matches


def _ours(task: Task, work: str) -> Entrant:
    return _entrant(OURS, getattr(ours, work), task)


def _monai(task: Task, work: str, workers: Sequence[int]) -> list[Entrant]:
    make = getattr(monai_way, work)
    return [_entrant("monai", make, task, number, way=f"{number} workers") for number in workers]


def _tensorflow(task: Task, work: str, python: str) -> list[Entrant]:
    start = partial(tensorflow_child, python=python, work=work, task=task)
    return [Entrant("tensorflow", start)] if python else []


def _settings(task: Task) -> list[Entrant]:
    """This project's trainer with other settings."""
    return [
        _entrant("fast=false", partial(ours.train_step, fast=False), task),
        _entrant("compile=true", partial(ours.train_step, compile=True), task),
    ]


def _other_ways(task: Task) -> list[Entrant]:
    """Other ways to run the network; ONNX Runtime's package for CPUs is the one installed."""
    ways = {"torch.compile": tried.compiled, "onnxruntime": tried.onnxruntime}
    return [_entrant(name, make, task) for name, make in ways.items() if task.device == "cpu" or name != "onnxruntime"]


def _entrant(name: str, make: Callable[..., Contender], *arguments: Any, way: str = "") -> Entrant:
    return Entrant(name, lambda log: Child.fork(log, make, *arguments), way)
