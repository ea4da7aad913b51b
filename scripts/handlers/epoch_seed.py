# SPDX-License-Identifier: Apache-2.0
"""One seed for each epoch, so that a resumed run draws the same numbers as an uninterrupted one."""

from __future__ import annotations

from ignite.engine import Engine, Events
from monai.engines import Workflow
from monai.utils import set_determinism

__all__ = ["EpochSeed"]

RANK_STRIDE = 1_000_003
"""More than any run has epochs, so that no process repeats the numbers of another."""


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
