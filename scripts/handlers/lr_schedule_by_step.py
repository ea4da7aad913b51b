# SPDX-License-Identifier: Apache-2.0
"""A learning-rate schedule that counts steps of the optimiser."""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer
from monai.handlers import LrScheduleHandler
from torch.optim.lr_scheduler import LRScheduler

__all__ = ["LrScheduleByStep"]


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
