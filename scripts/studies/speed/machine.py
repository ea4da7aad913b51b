# SPDX-License-Identifier: Apache-2.0
"""What the machine can do: copy bandwidth and matrix rate; and the time that work takes at least on it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch

from ..benchmark.machine import describe_machine
from .counter import Counted

__all__ = ["Machine", "measure_machine"]

#: Far larger than the caches, in bytes, and the side of the matrices.
COPIED = {"cpu": 2**28, "cuda": 2**30}
SIDE = {"cpu": 2048, "cuda": 8192}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Machine:
    """A device and its measured limits.

    Attributes:
        name: number and model of the processors.
        load: load average (processes that want a CPU, last minute) when it was first measured.
        bytes_per_second: copied from memory to memory, each byte read and written counted.
        operations_per_second: of matrix products, by dtype.
    """

    name: str
    load: float
    bytes_per_second: float
    operations_per_second: Mapping[str, float]

    def best_with(self, other: Machine) -> Machine:
        """The higher of two measurements of each limit: a limit is what a disturbed measurement does not reach."""
        rates = {
            name: max(rate, other.operations_per_second[name]) for name, rate in self.operations_per_second.items()
        }
        return replace(
            self, bytes_per_second=max(self.bytes_per_second, other.bytes_per_second), operations_per_second=rates
        )

    def floor_seconds(self, counted: Counted) -> float:
        """The least time for a slice: that of its bytes or that of its operations, whichever is longer.

        A dtype that was not measured (float16 on a CPU) counts as float32.
        """
        rates = self.operations_per_second
        computing = sum(count / rates.get(dtype, rates["float32"]) for dtype, count in counted.operations.items())
        return max(counted.bytes_moved / self.bytes_per_second, computing)


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


def _least_seconds(function: Callable[[], object], device: str, seconds: float) -> float:
    """Shortest of many calls, the first one not counted."""
    taken: list[float] = []
    while len(taken) < 4 or sum(taken) < seconds:
        _synchronise(device)
        begin = time.perf_counter()
        function()
        _synchronise(device)
        taken.append(time.perf_counter() - begin)
    return min(taken[1:])


def _synchronise(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
