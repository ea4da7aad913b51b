# SPDX-License-Identifier: Apache-2.0
"""What is measured: something that works through a number of steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .clock import Clock

__all__ = ["Contender", "Round"]


@dataclass(frozen=True)
class Round:
    """One measurement.

    Attributes:
        slices: number processed.
        seconds: wall time.
        wait_seconds: the part of it in which the device waited for data.
    """

    slices: int
    seconds: float
    wait_seconds: float = 0.0

    @classmethod
    def of(cls, slices: int, clock: Clock) -> Round:
        """What a clock measured."""
        return cls(slices, clock.seconds, clock.wait_seconds)


class Contender(Protocol):
    """Anything whose speed is measured."""

    def run(self, steps: int) -> Round:
        """Do this many steps (batches, or passes over a folder) and say how long they took."""
