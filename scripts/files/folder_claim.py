# SPDX-License-Identifier: Apache-2.0
"""One process at a time writes results into a folder, and sweeps up after one that was killed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .atomic import remove_partial

__all__ = ["claimed", "keep_claimed"]

_kept: dict[Path, ExitStack] = {}


@contextmanager
def claimed(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Keep other processes from writing into a folder during the block; remove what killed ones left half-written.

    The folder itself is locked, by the operating system, which gives it free when the process ends, however it ends.
    Systems and network disks that cannot lock a folder do without.

    Args:
        folder: folder, made if it is missing.

    Raises:
        BlockingIOError: another process writes into it.
        NotADirectoryError: it is a file.
        OSError: it cannot be made.
    """
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"output_dir '{folder}' is a file: give a folder.")
    path.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        _lock(path, stack)
        remove_partial(path)
        yield


def keep_claimed(folder: str | os.PathLike[str]) -> None:
    """Claim a folder until the end of the process, see :func:`claimed`; a second time, nothing happens.

    Args:
        folder: folder, made if it is missing.

    Raises:
        OSError: see there.
    """
    path = Path(folder).resolve()
    if path not in _kept:
        stack = ExitStack()
        stack.enter_context(claimed(folder))
        _kept[path] = stack


def _lock(folder: Path, stack: ExitStack) -> None:
    try:
        import fcntl

        place = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):  # another system; a folder that nobody may list
        return
    stack.callback(os.close, place)
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        message = f"another process writes into {folder}: wait until it has ended, or give another output_dir."
        raise BlockingIOError(message) from None
    except OSError:  # a network disk that cannot lock a folder
        return
