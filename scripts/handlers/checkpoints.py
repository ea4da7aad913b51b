# SPDX-License-Identifier: Apache-2.0
"""Handlers that save a training and make it reproducible: the best weights, all state, a seed for each epoch.

A resumed run draws the same numbers as an uninterrupted one, and ends with the same weights.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import Workflow
from monai.utils import set_determinism
from torch import nn

from ..files.atomic import replacing
from ..files.checked import check_zip
from .schedule import go_on_with

__all__ = ["BestModel", "BroadcastBuffers", "EpochSeed", "ResumeCheckpoint", "plain_state"]

logger = logging.getLogger(__name__)

COURSE = {"learning_rate", "max_epochs", "optimizer", "lr_scheduler"}
"""Settings that may change in a resumed training, and change its optimiser and its schedule."""

RANK_STRIDE = 1_000_003
"""More than any run has epochs, so that no process repeats the numbers of another."""


def plain_state(network: nn.Module) -> dict[str, Any]:
    """State dictionary without the prefix ``module.`` of DistributedDataParallel."""
    module = network.module if isinstance(network, nn.parallel.DistributedDataParallel) else network
    return module.state_dict()


class BestModel:
    """Save the network, as a flat state dictionary, after each validation that is the best so far.

    MONAI's ``CheckpointSaver`` does the same, but its record of the best does not survive a resumed run, and a metric
    that decreases needs two options in two places.

    Args:
        network: network to save.
        path: file to write, by rename.
        metric: name of a metric of the evaluator, lower is better.
    """

    def __init__(self, network: nn.Module, path: str | Path, metric: str = "val_loss") -> None:
        self.network = network
        self.path = Path(path)
        self.metric = metric
        self.best = math.inf

    def attach(self, engine: Workflow) -> None:
        """Attach to the evaluator."""
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Workflow) -> None:
        """Compare and save."""
        value = float(engine.state.metrics[self.metric])
        if value < self.best:
            self.best = value
            if engine.state.rank == 0:
                with replacing(self.path) as partial:
                    torch.save(plain_state(self.network), partial)

    def state_dict(self) -> dict[str, Any]:
        """The best value so far."""
        return {"best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue the record of an earlier run."""
        self.best = state["best"]


class ResumeCheckpoint:
    """Save the state of all parts after each epoch, and load it at the start of a resumed run.

    Together with :class:`EpochSeed`, an interrupted run ends with the same weights as an
    uninterrupted one.

    Args:
        path: file to write, by rename.
        parts: objects with ``state_dict`` and ``load_state_dict``: ``network``, optimizer, scheduler, handlers.
        resume: whether to start from ``path``.
        settings: settings of the run by key, kept in the file. Where a resumed run has others for the learning rate,
            the length, the optimiser or the schedule, it goes on with its own.

    Raises:
        FileNotFoundError: ``resume`` without a checkpoint.
    """

    def __init__(
        self,
        path: str | Path,
        parts: Mapping[str, Any],
        resume: bool = False,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = Path(path)
        self.parts = dict(parts)
        self.resume = resume
        self.settings = dict(settings or {})
        if resume and not self.path.is_file():
            raise FileNotFoundError(f"resume needs {self.path}, which does not exist: start without --resume true.")

    def attach(self, engine: Workflow) -> None:
        """Attach to the trainer as its last handler."""
        engine.add_event_handler(Events.STARTED, self._load)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._save)

    def _save(self, engine: Workflow) -> None:
        if engine.state.rank == 0:
            states = {n: plain_state(p) if n == "network" else p.state_dict() for n, p in self.parts.items()}
            with replacing(self.path) as partial:
                torch.save({"epoch": engine.state.epoch, "settings": self.settings, **states}, partial)

    def _load(self, engine: Workflow) -> None:
        if not self.resume:
            return
        check_zip(self.path)
        saved = torch.load(self.path, map_location=engine.state.device, weights_only=True)
        former = saved.get("settings", {})
        changed = {key for key in COURSE & former.keys() if former[key] != self.settings.get(key)}
        for name, part in self.parts.items():
            module = getattr(part, "module", part) if name == "network" else part
            if not changed or name not in ("optimizer", "lr_scheduler"):
                module.load_state_dict(saved[name])
        if changed:
            rates = [float(settings["learning_rate"]) for settings in (self.settings, former)]
            states = saved["optimizer"], saved["lr_scheduler"]
            go_on_with(self.parts["optimizer"], self.parts["lr_scheduler"], *states, rates[0] / rates[1])
            engine.logger.info(f"other settings than before: {', '.join(sorted(changed))}")
        engine.state.epoch = saved["epoch"]
        engine.state.iteration = saved["epoch"] * engine.state.epoch_length
        engine.logger.info(f"resumed from {self.path} after epoch {saved['epoch']}")
        ended = [part.finished for part in self.parts.values() if getattr(part, "finished", "")]
        if ended:
            logger.warning("the training in %s has ended: %s to go on.", self.path.parent, ended[0])
            engine.terminate()
        elif saved["epoch"] >= engine.state.max_epochs:
            logger.warning(
                "the training in %s has its %d epochs: give more max_epochs to go on.", self.path.parent, saved["epoch"]
            )


class EpochSeed:
    """Seed all generators at the start of each epoch by seed, epoch and rank.

    Args:
        seed: seed of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Workflow) -> None:
        """Seed torch, NumPy and Python."""
        seed = self.seed + engine.state.epoch + RANK_STRIDE * engine.state.rank
        set_determinism(seed=seed % 2**32, use_deterministic_algorithms=None)


class BroadcastBuffers:
    """Before each validation, copy the buffers of the first process, such as running statistics, to all others.

    DistributedDataParallel does so in each of its forward passes, and therefore waits for ever if one process has more
    batches than another, as in a validation in which no slice counts twice. With this handler the validation can use
    the bare network.

    Args:
        network: bare network, without the DistributedDataParallel around it.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def attach(self, engine: Engine) -> None:
        """Attach to the evaluator."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Copy the buffers."""
        for buffer in self.network.buffers():
            torch.distributed.broadcast(buffer, src=0)
