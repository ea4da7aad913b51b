# SPDX-License-Identifier: Apache-2.0
"""All files below a folder: links are followed, and what cannot be read is named rather than passed over."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path, PurePath

__all__ = ["FolderWalk", "walk_folder"]

KINDS = {
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISBLK: "a device",
    stat.S_ISCHR: "a device",
}


@dataclass
class FolderWalk:
    """The visible entries below a folder."""

    files: list[PurePath] = field(default_factory=list)
    """Paths below the folder, in the order of their parts."""
    unreadable: dict[PurePath, str] = field(default_factory=dict)
    """Reason for which an entry is no file that can be read; of a folder, too."""


def walk_folder(root: Path, leave_out: Path | None = None) -> FolderWalk:
    """List all files below a folder, without opening any.

    Links to files and folders are followed; a folder that several links lead to is listed once, under its own name if
    it has one below ``root``. Hidden entries are left out.

    Args:
        root: folder.
        leave_out: folder below it that is not listed, if it is there.
    """
    found = FolderWalk()
    seen: set[tuple[int, int]] = set()
    if leave_out and leave_out.is_dir():
        seen.add(_identity(leave_out))
    waiting = [root]
    links: list[Path] = []
    while waiting or links:
        folder = waiting.pop() if waiting else links.pop(0)
        try:
            place = _identity(folder)
            if place in seen:
                continue
            seen.add(place)
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            found.unreadable[folder.relative_to(root)] = f"the folder cannot be opened ({error.strerror})."
            continue
        below = PurePath(folder.relative_to(root))
        for entry in (entry for entry in entries if not entry.name.startswith(".")):
            path = folder / entry.name
            if entry.is_symlink() and not os.path.exists(path):  # noqa: PTH110 (Path.exists raises where it may not look)
                found.unreadable[below / entry.name] = _reason(path)
            elif entry.is_dir():
                (links if entry.is_symlink() else waiting).append(path)
            elif entry.is_file():
                found.files.append(below / entry.name)
            else:
                found.unreadable[below / entry.name] = _reason(path)
    found.files.sort()
    return found


def _identity(folder: Path) -> tuple[int, int]:
    state = folder.stat()
    return state.st_dev, state.st_ino


def _reason(path: Path) -> str:
    """Why an entry is neither a file nor a folder."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return "the link leads to nothing: fetch what it stands for (of a DataLad set: datalad get), or remove it."
    kind = next((kind for test, kind in KINDS.items() if test(mode)), "neither a file nor a folder")
    return f"it is {kind}, no file."
