# SPDX-License-Identifier: Apache-2.0
"""What a time was measured on, in words."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

import torch

__all__ = ["available_cores", "describe_machine"]


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe_machine(device: str) -> str:
    """Name of the GPU, or number and model of the CPU cores.

    Args:
        device: where the networks ran, such as ``cuda`` or ``cpu``.
    """
    if torch.device(device).type == "cuda" and torch.cuda.is_available():
        return torch.cuda.get_device_name(device)
    cores = available_cores()
    return f"{cores} CPU core{'s' if cores > 1 else ''}, {_processor()}"


def _processor() -> str:
    table = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", table.read_text(encoding="utf-8")) if table.is_file() else None
    return found.group(1).strip() if found else platform.processor() or platform.machine()
