# SPDX-License-Identifier: Apache-2.0
"""Progress bar of the whole training, with the time left."""

from __future__ import annotations

from ignite.engine import Events
from monai.engines import Workflow
from tqdm import tqdm

__all__ = ["Progress"]


class Progress:
    """Count the steps of all epochs; show the epoch and the validation metrics, but not those of single dimensions.

    Args:
        evaluator: evaluator whose metrics are shown, once there are any.
        disable: whether to show nothing, as on the other ranks of a distributed run.
    """

    def __init__(self, evaluator: Workflow, disable: bool = False) -> None:
        self.evaluator = evaluator
        self.disable = disable

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
            total = state.max_epochs * state.epoch_length
            done = (state.epoch - 1) * state.epoch_length
            self.bar = tqdm(total=total, initial=done, unit="step", disable=self.disable, dynamic_ncols=True)
        self.bar.set_description(f"epoch {state.epoch}/{state.max_epochs}")

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
