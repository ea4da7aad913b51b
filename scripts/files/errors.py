# SPDX-License-Identifier: Apache-2.0
"""Turns errors of the user's making into one clear line instead of a traceback."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = ["clean_exit", "cleanly", "failure_reason"]

UNREADABLE = {
    "Cannot work out file type": "the file is not an image, or its header is damaged.",  # nibabel
    "Binary block is wrong size": "the file is not an image, or its header is damaged.",
    "Invalid NRRD": "the file is not an image, or its header is damaged.",  # pynrrd, where it is installed
    "is not a gzip file": "the file is not compressed as its name says, or is damaged.",
    "Could not create IO object": "the file is not an image, or its header is damaged.",  # ITK
    "File cannot be read": "the file is truncated or damaged.",  # ITK, MHA
    "could the file be damaged": "the file is truncated or damaged.",  # nibabel
    "No such file": "the file has disappeared, or is a broken link.",
}
"""What readers say, and what it means; ITK adds the C library's last error, which belongs to something else."""

Made = TypeVar("Made")


@contextmanager
def clean_exit() -> Iterator[None]:
    """Turn ``ValueError``, ``TypeError`` and ``OSError`` into ``SystemExit("error: ...")``.

    A context manager and a decorator. MONAI wraps every ordinary exception of a config expression in a ``RuntimeError``
    with a long traceback. A ``SystemExit`` passes through: the process prints the one line and ends with status 1. Use
    it only at the edge (command lines, entry points of configs); library functions raise ordinary exceptions.

    Raises:
        SystemExit: with the message of the exception.
    """
    try:
        yield
    except (ValueError, TypeError, OSError) as error:
        raise SystemExit(f"error: {error}") from error


def cleanly(make: Callable[..., Made], **kwargs: Any) -> Made:
    """Call ``make(**kwargs)`` within :func:`clean_exit`: for the parts of a config that read what a user gave."""
    with clean_exit():
        return make(**kwargs)


def failure_reason(error: BaseException) -> str:
    """Say in one line why a volume failed: the innermost cause, without the wrapping of MONAI and ITK.

    Args:
        error: what was raised.

    Returns:
        One line without a line break.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, EOFError):
        return "the file is truncated: it ends before its data do."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}."
    if isinstance(error, MemoryError):
        return "there is not enough memory for it."
    text = str(error)
    for part, reason in UNREADABLE.items():
        if part in text:
            return reason
    text = re.sub(r"\b\w+\(0x[0-9a-f]+\): ", "", text.split("ITK ERROR:")[-1])
    return " ".join(text.split()) or type(error).__name__
