# SPDX-License-Identifier: Apache-2.0
"""Which works are measured, for which networks, against whom."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
    workers = (0, min(4, os.cpu_count() or 1)) if full else (0,)  # none, as DataLoader; 4, as the model zoo

    def against_monai(task: Task, work: str) -> list[Entrant]:
        ways = [(f"{number} workers", number) for number in workers] if work != "corruption" else [("",)]
        make = getattr(monai_way, work)
        return [_ours(task, work), *(_entrant("monai", make, task, *rest, way=way) for way, *rest in ways)]

    def tensorflow(task: Task, work: str) -> list[Entrant]:
        start = partial(tensorflow_child, python=tensorflow_python, work=work, task=task)
        return [Entrant("tensorflow", start)] if tensorflow_python else []

    def other_ways(task: Task) -> Iterator[Entrant]:
        yield _entrant("plain", tried.plain, task)
        if full:
            yield _entrant("torch.compile", tried.compiled, task)
        if full and task.device == "cpu":
            yield _entrant("onnxruntime", tried.onnxruntime, task)

    def other_settings(task: Task) -> Iterator[Entrant]:
        if full and task.network == DEFAULT_NETWORK:
            yield _entrant("fast=false", partial(ours.train_step, fast=False), task)
            yield _entrant("compile=true", partial(ours.train_step, compile=True), task)

    task = dataclasses.replace(task, network=DEFAULT_NETWORK)
    matches = [Match(work, "all", against_monai(task, work)) for work in ("data", "corruption")]
    for network in networks:
        task = dataclasses.replace(task, network=network)
        matches += [
            Match(
                "train_step",
                network,
                [*against_monai(task, "train_step"), *other_settings(task), *tensorflow(task, "train_step")],
            ),
            Match("evaluation", network, against_monai(task, "evaluation")),
            Match("inference", network, against_monai(task, "inference")),
            Match("forward", network, [_ours(task, "forward"), *other_ways(task), *tensorflow(task, "forward")]),
        ]
    if full:
        sample = large_sample(task.sample, Path(task.work_dir) / "large")
        task = dataclasses.replace(task, sample=sample, network=DEFAULT_NETWORK)
        matches.append(Match("inference_256", DEFAULT_NETWORK, against_monai(task, "inference")))
    return matches


def _ours(task: Task, work: str) -> Entrant:
    return _entrant(OURS, getattr(ours, work), task)


def _entrant(name: str, make: Callable[..., Contender], *arguments: Any, way: str = "") -> Entrant:
    return Entrant(name, lambda log: Child.fork(log, make, *arguments), way)
