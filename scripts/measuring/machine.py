# SPDX-License-Identifier: Apache-2.0
"""What the machine can do: copy bandwidth and matrix rate; and the time that work takes at least on it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from ..benchmarking.machine import describe_machine
from .counter import Counted

__all__ = ["Machine", "measure_machine"]

#: Far larger than the caches, in bytes, and the side of the matrices.
COPIED = {"cpu": 2**28, "cuda": 2**32}
SIDE = {"cpu": 2048, "cuda": 8192}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Machine:
    """A device and its measured limits.

    Attributes:
        name: number and model of the processors.
        load: load average (processes that want a CPU, last minute) when it was measured.
        bytes_per_second: copied from memory to memory, each byte read and written counted.
        operations_per_second: of matrix products, by dtype.
    """

    name: str
    load: float
    bytes_per_second: float
    operations_per_second: Mapping[str, float]

    def floor_seconds(self, counted: Counted) -> float:
        """The least time for a slice: that of its bytes or that of its operations, whichever is longer.

        A dtype that was not measured (float16 on a CPU) counts as float32.
        """
        rates = self.operations_per_second
        computing = sum(count / rates.get(dtype, rates["float32"]) for dtype, count in counted.operations.items())
        return max(counted.bytes_moved / self.bytes_per_second, computing)


def measure_machine(device: str, repetitions: int = 10) -> Machine:
    """Measure the limits with torch's own copy and matrix product, all threads, best of ``repetitions``.

    The best and not the median, because a limit is what a disturbed measurement does not reach.
    """
    kind, load = torch.device(device).type, os.getloadavg()[0]
    source, target = (torch.ones(COPIED[kind] // 4, device=device) for _ in range(2))
    copying = _least_seconds(lambda: target.copy_(source), device, repetitions)
    rates = {}
    for name, dtype in DTYPES.items():
        matrix = torch.rand(SIDE[kind], SIDE[kind], device=device).to(dtype)
        multiplying = _least_seconds(lambda m=matrix: m @ m, device, repetitions)  # type: ignore[misc]
        rates[name] = 2 * SIDE[kind] ** 3 / multiplying
    return Machine(describe_machine(device), load, 2 * source.nbytes / copying, rates)


def _least_seconds(function: Callable[[], object], device: str, repetitions: int) -> float:
    """Shortest of several calls, the first one not counted."""
    seconds = []
    for _ in range(repetitions + 1):
        _synchronise(device)
        begin = time.perf_counter()
        function()
        _synchronise(device)
        seconds.append(time.perf_counter() - begin)
    return min(seconds[1:])


def _synchronise(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
