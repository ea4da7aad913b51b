# SPDX-License-Identifier: Apache-2.0
"""One table on the terminal that says how far each recipe and seed is."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Sequence
from typing import TextIO

from .cells import Cell

__all__ = ["ProgressTable"]

LINES_LEFT = 4


class ProgressTable:
    """State of each cell, rewritten in place on a terminal; elsewhere one line for each cell that ends.

    Args:
        cells: of the plan.
        stream: where it is shown.
    """

    def __init__(self, cells: Sequence[Cell], stream: TextIO | None = None) -> None:
        self.cells = list(cells)
        self.stream = stream or sys.stderr
        self.states = {cell.name: "waiting" for cell in cells}
        self.lock = threading.Lock()
        self.lines = 0

    def set(self, cell: Cell, state: str) -> None:
        """Note the state of a cell: ``training``, ``evaluating``, ``kept``, ``done ...`` or ``failed``."""
        with self.lock:
            self.states[cell.name] = state
            if not self.stream.isatty() and _ended(state):
                ended = sum(map(_ended, self.states.values()))
                self.stream.write(f"[{ended} of {len(self.cells)}] {cell.name}: {state}\n")
                self.stream.flush()

    def show(self) -> None:
        """Rewrite the table, on a terminal."""
        if not self.stream.isatty():
            return
        size = shutil.get_terminal_size()
        with self.lock:
            lines = [line[: size.columns - 1] for line in self.text().splitlines()]
            if len(lines) > size.lines - LINES_LEFT:  # only what is going on
                busy = [self._row(cell) for cell in self.cells if self.states[cell.name] in ("training", "evaluating")]
                lines = [*busy[: size.lines - LINES_LEFT - 1], lines[-1]]
            self.stream.write(f"\x1b[{self.lines}A" if self.lines else "")
            self.stream.write("".join(f"\x1b[2K{line}\n" for line in lines) + "\x1b[0J")
            self.stream.flush()
            self.lines = len(lines)

    def close(self) -> None:
        """Show the table for the last time."""
        self.show()

    def text(self) -> str:
        """All rows, and how many cells have ended."""
        ended = sum(map(_ended, self.states.values()))
        failed = sum(state == "failed" for state in self.states.values())
        total = f"{ended} of {len(self.cells)} cells" + (f", {failed} failed" if failed else "")
        return "\n".join([*(self._row(cell) for cell in self.cells), total])

    def _row(self, cell: Cell) -> str:
        state = self.states[cell.name]
        if state == "training":
            state = f"training, epoch {_epochs(cell)} of {cell.epochs}"
        width = max(len(other.name) for other in self.cells)
        return f"{cell.name:<{width}}  {state}"


def _ended(state: str) -> bool:
    return state in ("kept", "failed") or state.startswith("done")


def _epochs(cell: Cell) -> int:
    """Finished epochs: rows of the training curve."""
    path = cell.folder / "history.csv"
    return max(0, len(path.read_text(encoding="utf-8").splitlines()) - 1) if path.is_file() else 0
