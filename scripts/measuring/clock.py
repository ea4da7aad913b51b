# SPDX-License-Identifier: Apache-2.0
"""Seconds in all, and those that the device waited."""

from __future__ import annotations

import time
from typing import Any

import torch

__all__ = ["Clock"]


class Clock:
    """Measures a stretch of work on a device, and parts of it in which the device waits.

    Work on a GPU runs behind the Python code that asks for it. The clock waits for the device at both ends of a stretch
    and nowhere else; the parts are measured on the device's own timeline with CUDA events, so that time in Python
    counts as waiting only where the device had nothing left to do.

    Args:
        device: where the work runs.
    """

    def __init__(self, device: torch.device | str) -> None:
        self.device = torch.device(device)
        self.seconds = 0.0
        self.running = False
        self._started = 0.0
        self._waits: list[tuple[Any, Any]] = []
        self._wait_began: Any = None

    def start(self) -> None:
        """Begin a stretch."""
        self._synchronise()
        self.running = True
        self._started = time.perf_counter()

    def stop(self) -> None:
        """End it."""
        self._synchronise()
        self.seconds += time.perf_counter() - self._started
        self.running = False

    def wait(self) -> None:
        """From here on the device waits."""
        self._wait_began = self._mark()

    def go_on(self) -> None:
        """From here on it works; without effect where it did not wait."""
        if self._wait_began is not None:
            self._waits.append((self._wait_began, self._mark()))
            self._wait_began = None

    @property
    def wait_seconds(self) -> float:
        """All waiting so far; to be read while the clock stands."""
        if self.device.type == "cuda":
            return sum(begin.elapsed_time(end) for begin, end in self._waits) / 1000
        return sum(end - begin for begin, end in self._waits)

    def _mark(self) -> Any:
        if self.device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self.device))
        return event

    def _synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
