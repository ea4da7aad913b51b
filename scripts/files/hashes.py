# SPDX-License-Identifier: Apache-2.0
"""The rule by which a result is kept: as long as the hash of all that made it (values, files, code) stays the same."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from .formats import data_beside

__all__ = ["content_hash", "file_hash", "files_state"]


def content_hash(content: Any) -> str:
    """Hash plain values; the order of keys does not count.

    Args:
        content: numbers, texts, lists and dictionaries, as JSON can hold them.

    Returns:
        The first 16 hexadecimal digits of a SHA-256.

    Raises:
        TypeError: JSON cannot hold it.
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def file_hash(path: Path) -> str:
    """SHA-256 of the content of a file, in hexadecimal digits; empty for a file that does not exist."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def files_state(image: Path) -> str:
    """What changes with the files of a volume: their names, sizes and times; "" of one that cannot be looked at."""
    try:
        with suppress(NotADirectoryError), os.scandir(image) as entries:
            files = [(entry.name, entry.stat()) for entry in entries]
            return content_hash(sorted([ascii(name), file.st_size, file.st_mtime_ns] for name, file in files))
        files = [(file.name, file.stat()) for file in (image, *data_beside(image))]
    except OSError:
        return ""
    return content_hash([[ascii(name), file.st_size, file.st_mtime_ns] for name, file in files])
