# SPDX-License-Identifier: Apache-2.0
"""What each cell keeps about its steps, so that a benchmark can go on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...files.atomic import write_json
from ...files.hashes import file_hash
from .cells import Cell, Step

__all__ = ["RECORD_FILE", "CellRecord", "done_cells"]

RECORD_FILE = "cell.json"


@dataclass(frozen=True)
class CellRecord:
    """The ``cell.json`` of a cell.

    Args:
        cell: whose record.
        keep_old_code: accept results that other code made, if config and data are the same.
    """

    cell: Cell
    keep_old_code: bool = False

    @property
    def path(self) -> Path:
        """The file."""
        return self.cell.folder / RECORD_FILE

    def entries(self) -> dict[str, Any]:
        """What is known of each step, by its name; empty where nothing is, or the file is no record."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def is_done(self, step: Step) -> bool:
        """Whether the step has ended well: same config, data and code, and its files have the recorded content."""
        entry = self.entries().get(step.name, {})
        return bool(entry.get("finished")) and self._fits(step, entry) and entry.get("files") == self._files(step)

    def can_resume(self, step: Step) -> bool:
        """Whether the step began with the same config, data and code, and left a checkpoint."""
        entry = self.entries().get(step.name, {})
        return self._fits(step, entry) and (self.cell.folder / "checkpoint.pt").is_file()

    def begin(self, step: Step, facts: dict[str, Any]) -> None:
        """Note that a step begins; what follows it is no longer valid."""
        entries = self.entries()
        names = [other.name for other in self.cell.steps]
        kept = {name: entries[name] for name in names[: names.index(step.name)] if name in entries}
        seconds = entries.get(step.name, {}).get("seconds", 0.0) if self.can_resume(step) else 0.0
        entry = {"fingerprint": dict(step.fingerprint), "finished": False, "seconds": seconds, **facts}
        write_json(self.path, {**kept, step.name: entry})

    def end(self, step: Step, seconds: float, finished: bool) -> None:
        """Note how long it took and, if it ended well, the content of its files."""
        entries = self.entries()
        entry = entries[step.name]
        entry["seconds"] = round(entry["seconds"] + seconds, 2)
        if finished:
            entry |= {"finished": True, "files": self._files(step)}
        write_json(self.path, entries)

    def _fits(self, step: Step, entry: dict[str, Any]) -> bool:
        ignored = {"code"} if self.keep_old_code else set()
        recorded = entry.get("fingerprint", {})
        return bool(recorded) and all(
            recorded.get(key) == value for key, value in step.fingerprint.items() if key not in ignored
        )

    def _files(self, step: Step) -> dict[str, str]:
        """Hashes of the result and of what earlier steps gave it."""
        steps = self.cell.steps[: self.cell.steps.index(step) + 1]
        return {other.result.name: file_hash(other.result) for other in steps}


def done_cells(cells: Sequence[Cell], keep_old_code: bool = False) -> list[Cell]:
    """Those of the cells whose steps have all ended well."""
    return [cell for cell in cells if all(CellRecord(cell, keep_old_code).is_done(step) for step in cell.steps)]
