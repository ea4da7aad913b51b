# SPDX-License-Identifier: Apache-2.0
"""Keep the weights with the lowest validation loss."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Events
from monai.engines import Workflow
from torch import nn

from ..replacing import replacing
from .plain_state import plain_state

__all__ = ["BestModel"]


class BestModel:
    """Save the network, as a flat state dictionary, after each validation that is the best so far.

    MONAI's ``CheckpointSaver`` does the same, but its record of the best does not survive a resumed run, and for a
    metric that falls, two switches must agree in two places.

    Args:
        network: its ``state_dict`` is saved.
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
        """Take up the record of an earlier run."""
        self.best = state["best"]
