# SPDX-License-Identifier: Apache-2.0
"""Contenders that another process can make."""

from __future__ import annotations

import torch

from scripts.studies.speed.contenders import Round


class Pretender:
    """Says that it does a slice a step at a given rate, and multiplies two matrices."""

    def __init__(self, slices_per_second: float) -> None:
        self.slices_per_second = slices_per_second

    def run(self, steps: int) -> Round:
        torch.ones(2, 3) @ torch.ones(3, 4)
        seconds = steps / self.slices_per_second
        return Round(steps, seconds, 0.25 * seconds)


def impossible() -> Pretender:
    raise ValueError("there is no such thing\nand more about it")


def dying() -> Pretender:
    raise SystemExit
