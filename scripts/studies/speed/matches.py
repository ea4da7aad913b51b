# SPDX-License-Identifier: Apache-2.0
"""Which works are measured, for which networks, against whom: MONAI's own way, and other ways to run the network."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from . import monai_way, ours
from .child import Child
from .contenders import Contender, StepContender
from .match import OURS, Entrant, Match
from .ours import DEFAULT_NETWORK, Task, forward_contender, inference_config
from .sample import large_sample

__all__ = ["compiled", "onnxruntime", "plain", "planned_matches"]


def planned_matches(task: Task, networks: Sequence[str], full: bool) -> list[Match]:
    """All matches of a run.

    Args:
        task: common to them; its network is replaced.
        networks: names of networks.
        full: also MONAI's loader with workers, other settings and ways to run the network, and a large volume.
    """
    workers = [0, min(4, os.cpu_count() or 1)] if full else [0]  # none, as DataLoader; 4, as the model zoo
    task = replace(task, network=DEFAULT_NETWORK)
    matches = [
        Match("data", "all", [_ours(task, "data"), *_monai(task, "data", workers)]),
        Match("corruption", "all", [_ours(task, "corruption"), _entrant("monai", monai_way.corruption, task)]),
    ]
    for network in networks:
        task = replace(task, network=network)
        peers = {work: _monai(task, work, workers) for work in ("train_step", "evaluation", "inference")}
        peers["forward"] = [_entrant("plain", plain, task)]
        if full and network == DEFAULT_NETWORK:  # this project's trainer with other settings
            settings: dict[str, dict[str, Any]] = {"fast=false": {"fast": False}, "compile=true": {"compile": True}}
            peers["train_step"] += [
                _entrant(name, partial(ours.train_step, **values), task) for name, values in settings.items()
            ]
        if full:
            peers["forward"].append(_entrant("torch.compile", compiled, task))
        if full and task.device == "cpu":  # ONNX Runtime's package for CPUs is the one installed
            peers["forward"].append(_entrant("onnxruntime", onnxruntime, task))
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


def _entrant(name: str, make: Callable[..., Contender], *arguments: Any, way: str = "") -> Entrant:
    return Entrant(name, lambda log: Child(log, make, *arguments), way)


def plain(task: Task) -> Contender:
    """The network alone, as it is: float32, plain memory layout, batch normalisation on its own."""
    config = inference_config(task, initialize=False)
    network = config.get_parsed_content("network_def").eval().to(task.device)
    return forward_contender(network, config.get_parsed_content("batch_size"), task)


def compiled(task: Task) -> Contender:
    """``torch.compile`` of the network that inference uses; needs a C++ compiler on a CPU."""
    config = inference_config(task)
    network = torch.compile(config.get_parsed_content("network"))
    return forward_contender(network, config.get_parsed_content("batch_size"), task)


def onnxruntime(task: Task) -> Contender:
    """ONNX Runtime with its defaults, float32."""
    from onnxruntime import InferenceSession

    config = inference_config(task, initialize=False)
    images = torch.rand(config.get_parsed_content("batch_size"), 1, *task.sample.slice_shape)
    path = Path(tempfile.mkdtemp(dir=task.work_dir)) / "network.onnx"
    network = config.get_parsed_content("network_def").eval()
    torch.onnx.export(network, (images,), path, input_names=["image"], dynamo=True)
    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    feed = {"image": images.numpy()}
    return StepContender(lambda: len(session.run(None, feed)[0]), "cpu")
