# SPDX-License-Identifier: Apache-2.0
"""The course of a training: its curve as a table, and a progress bar with the time left."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Events
from monai.engines import Workflow
from torch.optim import Optimizer
from tqdm import tqdm

from ..files.atomic import replacing

__all__ = ["History", "Progress"]


class History:
    """Write ``history.csv`` with a row per epoch: losses, metrics, learning rate and seconds.

    The training loss is the mean over the epoch, and over the processes, of what was optimised. It is summed on the
    device, so the host waits for it once an epoch.

    Args:
        path: CSV file, rewritten after each epoch.
        evaluator: evaluator whose metrics are recorded.
        optimizer: optimizer whose learning rate is recorded.
    """

    def __init__(self, path: str | Path, evaluator: Workflow, optimizer: Optimizer) -> None:
        self.path = Path(path)
        self.evaluator = evaluator
        self.optimizer = optimizer
        self.rows: list[dict[str, Any]] = []
        self._loss: torch.Tensor | float = 0.0
        self._started = 0.0

    def attach(self, engine: Workflow) -> None:
        """Attach to the trainer, after its validation handler."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._add)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._record)

    def _start(self, engine: Workflow) -> None:
        self._loss = 0.0
        self._started = time.perf_counter()

    def _add(self, engine: Workflow) -> None:
        self._loss = self._loss + engine.state.output["loss"].detach()

    def _record(self, engine: Workflow) -> None:
        batches = engine.state.epoch_length * idist.get_world_size()
        row: dict[str, Any] = {
            "epoch": engine.state.epoch,
            "train_loss": float(idist.all_reduce(self._loss)) / batches,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
        }
        if self.evaluator.state.epoch == engine.state.epoch:  # validated in this epoch
            row |= {name: float(value) for name, value in self.evaluator.state.metrics.items()}
        row["seconds"] = round(time.perf_counter() - self._started, 2)
        self.rows.append(row)
        if engine.state.rank == 0:
            self._write()

    def _write(self) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(
            text, fieldnames=list(dict.fromkeys(name for row in self.rows for name in row)), restval=""
        )
        writer.writeheader()
        writer.writerows(self.rows)
        with replacing(self.path) as partial:
            partial.write_text(text.getvalue(), encoding="utf-8")

    def state_dict(self) -> dict[str, Any]:
        """All rows so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue the rows of an earlier run."""
        self.rows = list(state["rows"])


class Progress:
    """Count the steps of all epochs; show the epoch and the validation metrics, but not those of single dimensions.

    Args:
        evaluator: evaluator whose metrics are shown, once there are any.
        disable: whether to show nothing, as on the other ranks of a distributed run.
        schedule: schedule of the learning rate; one that ends the training after some ``minutes`` is shown by these.
    """

    def __init__(self, evaluator: Workflow, disable: bool = False, schedule: Any = None) -> None:
        self.evaluator = evaluator
        self.disable = disable
        self.schedule = schedule

    def attach(self, engine: Workflow) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._open)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._step)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._show)
        engine.add_event_handler(Events.COMPLETED | Events.TERMINATE, self._close)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._fail)
        self.bar: tqdm | None = None

    def _open(self, engine: Workflow) -> None:
        state = engine.state
        if self.bar is None:
            total = None if self._timed() else state.max_epochs * state.epoch_length
            done = (state.epoch - 1) * state.epoch_length
            self.bar = tqdm(total=total, initial=done, unit="step", disable=self.disable, dynamic_ncols=True)
        course = f"/{state.max_epochs}"
        if self._timed():
            course = f", minute {self.schedule.elapsed / 60:.1f} of {self.schedule.minutes:g}"
        self.bar.set_description(f"epoch {state.epoch}{course}")

    def _timed(self) -> bool:
        return hasattr(self.schedule, "minutes")

    def _step(self, engine: Workflow) -> None:
        if self.bar is not None:
            self.bar.update()

    def _show(self, engine: Workflow) -> None:
        metrics = self.evaluator.state.metrics
        if self.bar is not None and metrics:
            shown = {name: value for name, value in metrics.items() if not name[-1].isdigit()}
            self.bar.set_postfix({name: f"{value:.4g}" for name, value in shown.items()})

    def _fail(self, engine: Workflow, error: BaseException) -> None:
        self._close(engine)
        raise error  # ignite regards an exception that has a handler as dealt with

    def _close(self, engine: Workflow) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None
