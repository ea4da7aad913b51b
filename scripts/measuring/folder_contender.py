# SPDX-License-Identifier: Apache-2.0
"""Whole volumes: a folder restored again and again."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from .clock import Clock
from .contender import Round

__all__ = ["FolderContender"]


class FolderContender:
    """Reads, restores and writes all volumes of a folder.

    Timed is a pass from the first file to the last; reading the config and the weights is not. The device waits
    whenever the network is not at work.

    Args:
        make: gives a network and the function that restores all volumes with it, anew for each pass.
        slices: of all volumes together.
        device: where the network runs.
    """

    def __init__(
        self, make: Callable[[], tuple[nn.Module, Callable[[], None]]], slices: int, device: torch.device | str
    ) -> None:
        self.make = make
        self.slices = slices
        self.device = device

    def run(self, steps: int) -> Round:
        """Restore the folder ``steps`` times."""
        clock = Clock(self.device)
        for _ in range(steps):
            network, restore = self.make()
            hooks = (
                network.register_forward_pre_hook(lambda *_: clock.go_on()),
                network.register_forward_hook(lambda *_: clock.wait()),
            )
            clock.start()
            clock.wait()
            restore()
            clock.go_on()
            clock.stop()
            for hook in hooks:
                hook.remove()
        return Round.of(steps * self.slices, clock)
