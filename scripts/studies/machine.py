# SPDX-License-Identifier: Apache-2.0
"""What a time was measured on, in words and in numbers: copy bandwidth and matrix rate."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

__all__ = ["Machine", "available_cores", "describe_machine", "measure_machine", "synchronise"]

#: Far larger than the caches, in bytes, and the side of the matrices.
COPIED = {"cpu": 2**28, "cuda": 2**30}
SIDE = {"cpu": 2048, "cuda": 8192}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe_machine(device: str) -> str:
    """Name of the GPU, or number and model of the CPU cores.

    Args:
        device: device of the networks, such as ``cuda`` or ``cpu``.
    """
    if torch.device(device).type == "cuda" and torch.cuda.is_available():
        return torch.cuda.get_device_name(device)
    cores, table = available_cores(), Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", table.read_text(encoding="utf-8")) if table.is_file() else None
    processor = found.group(1).strip() if found else platform.processor() or platform.machine()
    return f"{cores} CPU core{'s' if cores > 1 else ''}, {processor}"


@dataclass(frozen=True)
class Machine:
    """A device and its measured limits.

    Attributes:
        name: number and model of the processors.
        load: load average (processes that want a CPU, last minute) when it was first measured.
        bytes_per_second: copied from memory to memory, each byte read and written counted.
        operations_per_second: rate of matrix products, by dtype.
    """

    name: str
    load: float
    bytes_per_second: float
    operations_per_second: Mapping[str, float]

    def best_with(self, other: Machine) -> Machine:
        """The higher of two measurements of each limit: a limit is what a disturbed measurement does not reach."""
        pairs = self.operations_per_second.items()
        rates = {name: max(rate, other.operations_per_second[name]) for name, rate in pairs}
        copied = max(self.bytes_per_second, other.bytes_per_second)
        return replace(self, bytes_per_second=copied, operations_per_second=rates)

    def floor_seconds(self, bytes_moved: float, operations: Mapping[str, float]) -> float:
        """The least time for a slice: that of its bytes or that of its operations, whichever is longer.

        Args:
            bytes_moved: bytes read and written.
            operations: floating-point operations by dtype; one that was not measured counts as float32.
        """
        rates = self.operations_per_second
        computing = sum(count / rates.get(dtype, rates["float32"]) for dtype, count in operations.items())
        return max(bytes_moved / self.bytes_per_second, computing)


def measure_machine(device: str, seconds: float) -> Machine:
    """Measure the limits with torch's own copy and matrix product, all threads, each the best of about ``seconds``."""
    kind, load = torch.device(device).type, os.getloadavg()[0]
    source, target = (torch.ones(COPIED[kind] // 4, device=device) for _ in range(2))
    copying = _least_seconds(lambda: target.copy_(source), device, seconds)
    rates = {}
    for name, dtype in DTYPES.items():
        matrix = torch.rand(SIDE[kind], SIDE[kind], device=device).to(dtype)
        multiplying = _least_seconds(lambda m=matrix: m @ m, device, seconds)  # type: ignore[misc]
        rates[name] = 2 * SIDE[kind] ** 3 / multiplying
    return Machine(describe_machine(device), load, 2 * source.nbytes / copying, rates)


def synchronise(device: torch.device | str) -> None:
    """Wait until a GPU has done what it was asked for."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def _least_seconds(function: Callable[[], object], device: str, seconds: float) -> float:
    """Shortest of many calls, the first one not counted."""
    taken: list[float] = []
    while len(taken) < 4 or sum(taken) < seconds:
        synchronise(device)
        begin = time.perf_counter()
        function()
        synchronise(device)
        taken.append(time.perf_counter() - begin)
    return min(taken[1:])
