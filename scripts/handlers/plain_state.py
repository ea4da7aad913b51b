# SPDX-License-Identifier: Apache-2.0
"""The weights of a network as they are published."""

from __future__ import annotations

from typing import Any

from torch import nn

__all__ = ["plain_state"]


def plain_state(network: nn.Module) -> dict[str, Any]:
    """State dictionary without the ``module.`` that DistributedDataParallel puts before each name."""
    module = network.module if isinstance(network, nn.parallel.DistributedDataParallel) else network
    return module.state_dict()
