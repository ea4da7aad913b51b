# SPDX-License-Identifier: Apache-2.0
"""What is measured: something that works through a number of steps.

A MONAI engine, some iterations at a time; a function that processes one batch, called again and again; and a folder of
whole volumes, restored again and again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from ignite.engine import Engine, Events
from monai.engines import Workflow
from torch import nn

from ..machine import synchronise

__all__ = ["Clock", "Contender", "EngineContender", "FolderContender", "Round", "StepContender"]


@dataclass(frozen=True)
class Round:
    """One measurement.

    Attributes:
        slices: number processed.
        seconds: wall time.
        wait_seconds: the part of it in which the device waited for data.
    """

    slices: int
    seconds: float
    wait_seconds: float = 0.0


class Clock:
    """Measures a stretch of work on a device, and parts of it in which the device waits.

    Work on a GPU runs behind the Python code that asks for it. The clock waits for the device at both ends of a stretch
    and nowhere else; the parts are measured on the device's own timeline with CUDA events, so that time in Python
    counts as waiting only where the device had nothing left to do.

    Args:
        device: device of the work.
    """

    def __init__(self, device: torch.device | str) -> None:
        self.device = torch.device(device)
        self.seconds = 0.0
        self.running = False
        self._started = 0.0
        self._waits: list[tuple[Any, Any]] = []
        self._wait_began: Any = None

    def start(self) -> None:
        """Begin a stretch."""
        synchronise(self.device)
        self.running = True
        self._started = time.perf_counter()

    def stop(self) -> None:
        """End it."""
        synchronise(self.device)
        self.seconds += time.perf_counter() - self._started
        self.running = False

    def wait(self) -> None:
        """From here on the device waits."""
        self._wait_began = self._mark()

    def go_on(self) -> None:
        """From here on it works; without effect where it did not wait."""
        if self._wait_began is not None:
            self._waits.append((self._wait_began, self._mark()))
            self._wait_began = None

    def round(self, slices: int) -> Round:
        """What was measured so far, while so many slices were processed; to be read while the clock stands."""
        if self.device.type == "cuda":
            waited = sum(begin.elapsed_time(end) for begin, end in self._waits) / 1000
        else:
            waited = sum(end - begin for begin, end in self._waits)
        return Round(slices, self.seconds, waited)

    def _mark(self) -> Any:
        if self.device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self.device))
        return event


class Contender(Protocol):
    """Anything whose speed is measured."""

    def run(self, steps: int) -> Round:
        """Do this many steps (batches, or passes over a folder) and say how long they took."""


class EngineContender:
    """Interrupts a trainer or an evaluator after some iterations, and resumes it in the next round.

    The engine runs as it would without: epoch after epoch, with its loader, its workers and its handlers. Only what
    happens between epochs (validation, checkpoints) is not timed. The device waits from the request for a batch until
    the network can begin: on a CPU that includes ``prepare_batch``, with the damage; on a GPU, where the damage is
    work of the device, it ends when the batch arrives.

    Args:
        engine: engine that has not run yet.
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
        return self.clock.round(self.slices)

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


@dataclass
class StepContender:
    """Calls a function some times.

    Args:
        step: function that processes a batch and returns its number of slices.
        device: device of the work.
    """

    step: Callable[[], int]
    device: torch.device | str

    def run(self, steps: int) -> Round:
        """Call the function ``steps`` times."""
        clock = Clock(self.device)
        clock.start()
        slices = sum(self.step() for _ in range(steps))
        clock.stop()
        return clock.round(slices)


@dataclass
class FolderContender:
    """Reads, restores and writes all volumes of a folder.

    Timed is a pass from the first file to the last; reading the config and the weights is not. The device waits
    whenever the network is not at work.

    Args:
        make: function that gives a network and the function that restores all volumes with it, anew for each pass.
        slices: number of slices of all volumes together.
        device: device of the network.
    """

    make: Callable[[], tuple[nn.Module, Callable[[], None]]]
    slices: int
    device: torch.device | str

    def run(self, steps: int) -> Round:
        """Restore the folder ``steps`` times."""
        clock = Clock(self.device)
        for _ in range(steps):
            network, restore = self.make()
            hooks = (
                network.register_forward_pre_hook(lambda *_: clock.go_on()),
                network.register_forward_hook(lambda *_: clock.wait()),
            )
            clock.start()
            clock.wait()
            restore()
            clock.go_on()
            clock.stop()
            for hook in hooks:
                hook.remove()
        return clock.round(steps * self.slices)
