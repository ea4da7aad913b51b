# SPDX-License-Identifier: Apache-2.0
"""Handlers that make a training reproducible: a seed for each epoch, the same buffers in all processes."""

from __future__ import annotations

import torch
from ignite.engine import Engine, Events
from monai.engines import Workflow
from monai.utils import set_determinism
from torch import nn

__all__ = ["BroadcastBuffers", "EpochSeed"]

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
