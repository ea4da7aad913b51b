# SPDX-License-Identifier: Apache-2.0
"""Write a file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

__all__ = ["atomic_save", "plain_state"]


def plain_state(network: nn.Module) -> dict[str, Any]:
    """State dictionary without the ``module.`` that DistributedDataParallel puts before each name."""
    module = network.module if isinstance(network, nn.parallel.DistributedDataParallel) else network
    return module.state_dict()


def atomic_save(content: Any, path: str | Path) -> None:
    """``torch.save`` to a temporary file beside ``path``, then rename it: a reader sees the old file or the new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        torch.save(content, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
