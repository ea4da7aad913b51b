# SPDX-License-Identifier: Apache-2.0
"""Atomic writing: a file is complete or absent."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

__all__ = ["remove_partial", "replacing", "replacing_folder", "write_csv", "write_json"]

PARTIAL = re.compile(r"\.partial-\d+-\d+-.")
NAME_BYTES = 255
"""Longest name that file systems take."""


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, which is renamed to ``path`` at the end of the block.

    A reader sees the old file or the new one. If the block fails, the old file stays and the new one is removed.

    Args:
        path: file to write; its folder is created if it is missing. The temporary name is hidden and has the same
            extension, for writers that choose the format by it.

    Yields:
        Path of the temporary file.

    Raises:
        OSError: the file cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(_partial_name(path.name))
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``, which takes its place at the end of the block.

    So a folder is there with all its files, or not at all.

    Args:
        path: folder to write; that above it is created if it is missing. A former one is replaced.

    Yields:
        Path of the temporary folder, empty.

    Raises:
        OSError: the folder cannot be written; the former one stays.
    """
    temporary, former = (path.with_name(_partial_name(f"{word}-{path.name}")) for word in ("new", "old"))
    for left in (temporary, former):
        shutil.rmtree(left, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        if path.exists():
            path.rename(former)
        temporary.rename(path)
    finally:
        for left in (temporary, former):
            shutil.rmtree(left, ignore_errors=True)


def _partial_name(name: str) -> str:
    """A name for this thread's temporary file; of a long name the end, so that it is no longer than allowed."""
    mark = f".partial-{os.getpid()}-{threading.get_native_id()}-"
    while len(os.fsencode(mark + name)) > NAME_BYTES:
        name = name[1:]
    return mark + name


def remove_partial(folder: Path, pattern: str = "**/.partial-*") -> None:
    """Remove temporary files and folders that processes left behind when they were killed.

    Args:
        folder: folder into which no other process is writing them.
        pattern: names of the files, as for ``Path.glob``; by default all, with subfolders.
    """
    for path in folder.glob(pattern):
        if PARTIAL.match(path.name):
            with suppress(OSError):  # the folder may be read-only, which whoever writes into it will say
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file by rename, so that it is either complete or absent."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def write_csv(path: Path, table: Any, **settings: Any) -> None:
    """Write a pandas table without its index, by rename.

    Args:
        path: CSV file.
        table: the table.
        **settings: of ``DataFrame.to_csv``.
    """
    with replacing(path) as partial:
        table.to_csv(partial, index=False, **settings)
