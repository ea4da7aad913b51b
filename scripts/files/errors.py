# SPDX-License-Identifier: Apache-2.0
"""Turns errors of the user's making into one clear line instead of a traceback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = ["clean_exit", "cleanly"]

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
