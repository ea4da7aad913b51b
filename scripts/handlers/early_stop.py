# SPDX-License-Identifier: Apache-2.0
"""Early stopping with Keras's rule and a state that survives resuming."""

from __future__ import annotations

import math
from typing import Any

from ignite.engine import Events
from monai.engines import Workflow

__all__ = ["EarlyStop"]


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

    def state_dict(self) -> dict[str, Any]:
        """Best value and validations waited."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up the count of an earlier run."""
        self.best, self.waited = state["best"], state["waited"]
