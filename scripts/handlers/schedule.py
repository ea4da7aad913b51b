# SPDX-License-Identifier: Apache-2.0
"""Handlers that control the course of a training: early stopping and the learning-rate schedule."""

from __future__ import annotations

import math
import time
from typing import Any, TypeVar

from ignite.engine import Engine, Events
from monai.engines import Evaluator, SupervisedTrainer, Workflow
from monai.handlers import LrScheduleHandler, ValidationHandler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

__all__ = ["EarlyStop", "LrScheduleByStep", "RegularValidation", "TimedSchedule", "go_on_with", "reference"]

PROGRESS = {"_last_lr", "_step_count", "best", "cooldown_counter", "elapsed", "last_epoch", "num_bad_epochs"}
"""What a schedule knows of the past; all else of its state are its settings."""


class EarlyStop:
    """End the training after ``patience`` validations in a row without an improvement by more than ``min_delta``.

    The rule of ``tf.keras.callbacks.EarlyStopping``; ignite's handler has it too (``cumulative_delta=True``), but must
    be given the trainer, which in a config is a circular reference.

    Args:
        evaluator: the validation engine.
        patience: validations to wait.
        min_delta: smallest decrease that counts.
        metric: name of a metric of the evaluator, lower is better.
    """

    def __init__(self, evaluator: Workflow, patience: int, min_delta: float = 0.0, metric: str = "val_loss") -> None:
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}.")
        self.evaluator = evaluator
        self.patience = patience
        self.min_delta = min_delta
        self.metric = metric
        self.best = math.inf
        self.waited = 0

    def attach(self, engine: Workflow) -> None:
        """Attach to the trainer, after its validation handler."""
        self.evaluator.add_event_handler(Events.COMPLETED, self, engine)

    def __call__(self, evaluator: Workflow, trainer: Workflow) -> None:
        """Count, and end the training."""
        value = float(evaluator.state.metrics[self.metric])
        if value < self.best - self.min_delta:
            self.best = value
            self.waited = 0
        else:
            self.waited += 1
        if self.waited >= self.patience:
            trainer.logger.info(
                f"early stopping: {self.metric} has not fallen by {self.min_delta} in {self.waited} validations."
            )
            trainer.terminate()

    @property
    def finished(self) -> str:
        """Why the training has ended, and what lets it go on; empty where it has not."""
        if self.waited < self.patience:
            return ""
        return f"{self.metric} has not fallen in {self.waited} validations: give a larger early_stopping_patience"

    def state_dict(self) -> dict[str, Any]:
        """Best value and validations waited."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up the count of an earlier run."""
        self.best, self.waited = state["best"], state["waited"]


class LrScheduleByStep(LrScheduleHandler):
    """Step the schedule after each step of the optimiser.

    MONAI's own handler does so after each batch, which is the same only where no gradients are accumulated.

    Args:
        lr_scheduler: its ``total_steps`` count steps of the optimiser, ``ceil(batches / accumulation_steps)`` an epoch.
    """

    def __init__(self, lr_scheduler: LRScheduler) -> None:
        super().__init__(lr_scheduler, print_lr=False, epoch_level=False)  # type: ignore[arg-type]  # MONAI names its old base

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED(event_filter=_made_a_step), self)


def _made_a_step(engine: SupervisedTrainer, iteration: Any) -> bool:
    """Whether the trainer's last batch ended a step: the last of ``accumulation_steps``, or of the epoch."""
    batch = (engine.state.iteration - 1) % engine.state.epoch_length + 1
    return batch % engine.accumulation_steps == 0 or batch == engine.state.epoch_length


class TimedSchedule:
    """Learning rate that rises and falls within a given time, at the end of which the training ends.

    A linear rise and half a period of a cosine, as ``OneCycleLR`` has them, but over the clock: how many steps a
    machine makes is not known beforehand. So a training that was resumed has the length, but not the weights, of one
    that was not.

    Args:
        optimizer: optimiser whose learning rate is set.
        max_lr: highest learning rate.
        minutes: length of the training.
        pct_start: share of the time in which the rate rises.

    Raises:
        ValueError: ``minutes`` is not positive, or ``pct_start`` not between 0 and 1.
    """

    def __init__(self, optimizer: Optimizer, max_lr: float, minutes: float, pct_start: float = 0.05) -> None:
        if not minutes > 0 or not 0 < pct_start < 1:
            raise ValueError(f"minutes must be positive and pct_start in (0, 1), got {minutes} and {pct_start}.")
        self.optimizer, self.max_lr, self.minutes, self.pct_start = optimizer, max_lr, minutes, pct_start
        self.elapsed = 0.0
        self.last: float | None = None
        self._set()

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._step)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._end)

    def _step(self, engine: Engine) -> None:
        now = time.monotonic()
        self.elapsed += now - (now if self.last is None else self.last)
        self.last = now
        self._set()

    def _set(self) -> None:
        done = min(self.elapsed / (60 * self.minutes), 1.0)
        falling = max(done - self.pct_start, 0.0) / (1 - self.pct_start)
        rate = self.max_lr * min(done / self.pct_start, 1.0) * 0.5 * (1 + math.cos(math.pi * falling))
        for group in self.optimizer.param_groups:
            group["lr"] = max(rate, 1e-3 * self.max_lr)

    def _end(self, engine: Engine) -> None:
        if self.finished:
            engine.terminate()

    @property
    def finished(self) -> str:
        """Why the training has ended, and what lets it go on; empty where it has not."""
        if self.elapsed < 60 * self.minutes:
            return ""
        return f"its {self.minutes:g} minutes are over: give more lr_scheduler#minutes"

    def state_dict(self) -> dict[str, Any]:
        """Seconds so far."""
        return {"elapsed": self.elapsed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on after the seconds of an earlier run."""
        self.elapsed = state["elapsed"]
        self._set()


class RegularValidation(ValidationHandler):
    """Validate after every few epochs, and always after the last, which may be the only one.

    MONAI's own handler leaves a training that is shorter than ``interval`` without a validation.

    Args:
        validator: the validation engine.
        interval: epochs between two validations.
        schedule: schedule of the learning rate, which may end the training (:class:`TimedSchedule`).
    """

    def __init__(self, validator: Evaluator, interval: int, schedule: Any = None) -> None:
        super().__init__(interval=interval, validator=validator)
        self.schedule = schedule

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.EPOCH_COMPLETED(event_filter=self._is_due), self)

    def _is_due(self, engine: Engine, epoch: int) -> bool:
        last = epoch == engine.state.max_epochs or bool(engine.should_terminate)
        return last or epoch % self.interval == 0 or bool(getattr(self.schedule, "finished", ""))


def go_on_with(
    optimizer: Optimizer, schedule: Any, former: dict[str, Any], former_schedule: dict[str, Any], ratio: float
) -> None:
    """Take up an optimiser and a schedule where a training was, but with the settings that they have now.

    Args:
        optimizer: optimiser.
        schedule: schedule of its learning rate. One that is a function of the step, such as ``OneCycleLR``, goes on
            as if it had been like this from the beginning; in any other the learning rate is multiplied.
        former: state of the optimiser at the end of the training.
        former_schedule: state of the schedule then.
        ratio: learning rate that is wanted, by that of the training.
    """
    settings = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    optimizer.load_state_dict(former)
    for group, own in zip(optimizer.param_groups, settings, strict=True):
        group.update(own | {"lr": ratio * group["lr"]})
    past = {key: value for key, value in former_schedule.items() if key in PROGRESS}
    if isinstance(schedule, OneCycleLR | LambdaLR):
        schedule.load_state_dict(schedule.state_dict() | past | {"last_epoch": past["last_epoch"] - 1})
        schedule.step()
    else:
        schedule.load_state_dict(schedule.state_dict() | past)


Handler = TypeVar("Handler")


def reference(handler: Handler) -> Handler:
    """Return ``handler``, which a config defines elsewhere: MONAI's ``check_properties`` allows no ``@id`` in the list.

    Example of a config::

        train:
          handlers:
          - _target_: scripts.handlers.reference
            handler: "@early_stop"
    """
    return handler
