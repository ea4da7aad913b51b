# SPDX-License-Identifier: Apache-2.0
"""Which works are measured, for which networks, against whom.

FOLDED: Other ways to run the same network, which this project tried: the network alone, on one batch.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from . import matches as tried
from . import monai_way, ours
from .child import Child
from .contenders import Contender, StepContender
from .match import OURS, Entrant
from .ours import DEFAULT_NETWORK, Task, forward_contender, inference_config
from .sample import large_sample
from .tensorflow_way import tensorflow_child

__all__ = ["Match", "compiled", "onnxruntime", "plain", "planned_matches"]


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


def plain(task: Task) -> Contender:
    """As it is: float32, plain memory layout, batch normalisation on its own."""
    return forward_contender(_network(task).to(task.device), _batch_size(task), task)


def compiled(task: Task) -> Contender:
    """``torch.compile`` of the network that inference uses; needs a C++ compiler on a CPU."""
    network = inference_config(task).get_parsed_content("network")
    return forward_contender(torch.compile(network), _batch_size(task), task)


def onnxruntime(task: Task) -> Contender:
    """ONNX Runtime with its defaults, float32."""
    from onnxruntime import InferenceSession

    images = torch.rand(_batch_size(task), 1, *task.sample.slice_shape)
    path = Path(tempfile.mkdtemp(dir=task.work_dir)) / "network.onnx"
    torch.onnx.export(_network(task), (images,), path, input_names=["image"], dynamo=True)
    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    feed = {"image": images.numpy()}
    return StepContender(lambda: len(session.run(None, feed)[0]), "cpu")


def _network(task: Task) -> nn.Module:
    return inference_config(task, initialize=False).get_parsed_content("network_def").eval()


def _batch_size(task: Task) -> int:
    return inference_config(task, initialize=False).get_parsed_content("batch_size")
