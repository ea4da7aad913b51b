# SPDX-License-Identifier: Apache-2.0
"""All processes validate the network that the first one saves."""

from __future__ import annotations

import torch
from ignite.engine import Engine, Events
from torch import nn

__all__ = ["BroadcastBuffers"]


class BroadcastBuffers:
    """Before each validation, give every process the buffers of the first: batch normalisation's running statistics.

    DistributedDataParallel does so in each of its forward passes and so waits for ever where one process has a batch
    more than another, as in a validation in which no slice counts twice. With this handler the validation can use the
    bare network.

    Args:
        network: the bare network, not the DistributedDataParallel around it.
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
