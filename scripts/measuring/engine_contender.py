# SPDX-License-Identifier: Apache-2.0
"""A MONAI engine, some iterations at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import Workflow

from .clock import Clock
from .contender import Round

__all__ = ["EngineContender"]


class EngineContender:
    """Interrupts a trainer or an evaluator after some iterations, and resumes it in the next round.

    The engine runs as it would without: epoch after epoch, with its loader, its workers and its handlers. Only what
    happens between epochs (validation, checkpoints) is not timed. The device waits from the request for a batch until
    the network can begin: on a CPU that includes ``prepare_batch``, with the damage; on a GPU, where the damage is
    work of the device, it ends when the batch arrives.

    Args:
        engine: not yet run.
    """

    def __init__(self, engine: Workflow) -> None:
        self.engine = engine
        self.device = torch.device(engine.state.device)
        self.clock = Clock(self.device)
        self.slices = self.left = 0
        if self.device.type != "cuda":
            engine.prepare_batch = self._noting_the_end(engine.prepare_batch)
        engine.add_event_handler(Events.GET_BATCH_STARTED, self._ask)
        engine.add_event_handler(Events.GET_BATCH_COMPLETED, self._receive)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._step)

    def run(self, steps: int) -> Round:
        """Do ``steps`` iterations, in as many epochs as they take."""
        self.clock = Clock(self.device)
        self.slices, self.left = 0, steps
        while self.left:
            Workflow.run(self.engine)  # not the evaluator's own, which would begin at the first batch
        return Round.of(self.slices, self.clock)

    def _ask(self, engine: Engine) -> None:
        if not self.clock.running:
            self.clock.start()
        self.clock.wait()

    def _receive(self, engine: Engine) -> None:
        batch: Any = engine.state.batch
        self.slices += len(batch["image"])
        if self.device.type == "cuda":
            self.clock.go_on()

    def _noting_the_end(self, prepare_batch: Callable[..., Any]) -> Callable[..., Any]:
        def prepare(*args: Any, **kwargs: Any) -> Any:
            prepared = prepare_batch(*args, **kwargs)
            self.clock.go_on()
            return prepared

        return prepare

    def _step(self, engine: Engine) -> None:
        self.left -= 1
        last_of_epoch = engine.state.iteration % (engine.state.epoch_length or 1) == 0
        if self.left == 0 or last_of_epoch:
            self.clock.stop()
        if self.left == 0:
            engine.interrupt()
