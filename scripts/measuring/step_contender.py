# SPDX-License-Identifier: Apache-2.0
"""A function that processes one batch, called again and again."""

from __future__ import annotations

from collections.abc import Callable

import torch

from .clock import Clock
from .contender import Round

__all__ = ["StepContender"]


class StepContender:
    """Calls a function some times.

    Args:
        step: processes a batch and returns its number of slices.
        device: where it runs.
    """

    def __init__(self, step: Callable[[], int], device: torch.device | str) -> None:
        self.step = step
        self.device = device

    def run(self, steps: int) -> Round:
        """Call the function ``steps`` times."""
        clock = Clock(self.device)
        clock.start()
        slices = sum(self.step() for _ in range(steps))
        clock.stop()
        return Round.of(slices, clock)
