# SPDX-License-Identifier: Apache-2.0
"""Errors of the user's making in one clear line instead of a traceback."""

from __future__ import annotations

import atexit
import difflib
import logging
import re
import signal
import sys
import threading
import traceback
from collections.abc import Iterable
from pydoc import ErrorDuringImport
from types import TracebackType

from .installation import missing_package

__all__ = [
    "Terminated", "failure_reason", "heed_termination", "one_line", "printable", "shorten_errors", "suggestion",
    "unwrapped",
]  # fmt: skip

PACKAGE = __name__.partition(".")[0]

UNREADABLE = {
    "Cannot work out file type": "the file is not an image, or its header is damaged.",  # nibabel
    "Binary block is wrong size": "the file is not an image, or its header is damaged.",
    "Invalid NRRD": "the file is not an image, or its header is damaged.",  # pynrrd, where it is installed
    "is not a gzip file": "the file is not compressed as its name says, or is damaged.",
    "Could not create IO object": "the file is not an image, or its header is damaged.",  # ITK
    "File cannot be read": "the file is truncated or damaged.",  # ITK, MHA
    "could the file be damaged": "the file is truncated or damaged.",  # nibabel
    "itkMetaDataDictionary": "the file is not an image, or its header is damaged.",  # ITK, names that are no text
    "determinant is 0": "the affine is singular, its axes do not span three directions: correct the header first.",
    "nrrdLoad": "the file is truncated or damaged.",  # ITK, NRRD
    "memory mapped length": "the sizes in its header are impossible: it is damaged.",  # nibabel
    "No such file": "the file has disappeared, or is a broken link.",
    "out of memory": "there is not enough memory for it.",  # torch, on a GPU
    "can't allocate memory": "there is not enough memory for it.",  # torch, on a CPU
}
"""What readers say, and what it means; ITK adds the C library's last error, which belongs to something else."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end, by a scheduler or a container: it ends as at Ctrl-C."""


def heed_termination() -> None:
    """Let SIGTERM end the program like Ctrl-C: what is being written is finished, and the reports are right."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


def _terminate(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
    raise Terminated


def shorten_errors() -> None:
    """Let ``python -m monai.bundle`` end with one line, not with a traceback, where the error is of the user's making.

    An entry of ``initialize`` in a config. In any other program that evaluates the config (a notebook, a server) it
    changes nothing: there the exception arrives with its text.
    """
    specification = sys.modules["__main__"].__spec__
    if specification is None or specification.name != "monai.bundle.__main__":
        return
    sys.excepthook = _show
    heed_termination()
    for handler in filter(None, (*logging.getLogger().handlers, logging.lastResort)):
        handler.addFilter(lambda record: "is terminating due to exception" not in record.getMessage())  # ignite's


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    line = one_line(error)
    if isinstance(error, Terminated):
        atexit.register(_die)
    if line is None:
        sys.__excepthook__(kind, error, trace)
    else:
        sys.stderr.write(f"{line}\n")


def _die() -> None:
    """End by the signal, so that whoever sent it is told so (143 in a shell); Python would say Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.raise_signal(signal.SIGTERM)


def one_line(error: BaseException) -> str | None:
    """Say what an error of the user's making is, for a command line.

    That is an ``OSError``, a missing optional package, or a ``ValueError``, ``TypeError`` or ``ImportError`` that this
    package raises on purpose, or that a component of another package raises when a config calls it. All else is a fault
    of the code, whose traceback is needed.

    Args:
        error: what ended the program.

    Returns:
        ``error: ...``, or that it was interrupted; ``None`` for a fault of the code.
    """
    error = unwrapped(error)
    if isinstance(error, KeyboardInterrupt):
        return "\nterminated" if isinstance(error, Terminated) else "\ninterrupted"  # below the progress bar
    if missing := missing_package(error):
        return f"error: {missing}"
    return f"error: {error}" if isinstance(error, OSError) or _raised_on_purpose(error) else None


def unwrapped(error: BaseException) -> BaseException:
    """The exception of a part of a config, without the ``RuntimeError`` in which MONAI says which part it was.

    Where the module of a component cannot be imported, it is also wrapped by ``pydoc``, of which MONAI makes use.
    """
    while True:
        if isinstance(error, ErrorDuringImport) and error.value is not None:
            error = error.value
        elif type(error) is RuntimeError and error.__cause__ is not None:
            error = error.__cause__
        else:
            return error


def _raised_on_purpose(error: BaseException) -> bool:
    if not isinstance(error, ValueError | TypeError | ImportError):
        return False
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = [frame.f_globals.get("__name__", "").partition(".")[0] == PACKAGE for frame in frames]
    last = traceback.extract_tb(error.__traceback__)[-1]
    raised = str(last.line).startswith("raise ")
    if any(ours):
        return raised and ours[-1]
    return raised or last.name == "instantiate"  # MONAI's, with arguments that do not fit


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
    if missing := missing_package(error):
        return missing
    if isinstance(error, MemoryError):
        return "there is not enough memory for it."
    text = str(error)
    for part, reason in UNREADABLE.items():
        if part in text:
            return reason
    text = re.sub(r"\b\w+\(0x[0-9a-f]+\): ", "", text.split("ITK ERROR:")[-1])
    return " ".join(text.split()) or type(error).__name__


def printable(name: str) -> str:
    """A name on one line of any terminal; an escaped one where it holds a line break or is no Unicode."""
    return name if name.isprintable() else ascii(name)


def suggestion(name: str, known: Iterable[str]) -> str:
    """Say what may be meant by an unknown name: the nearest of the known ones, or any of them.

    Args:
        name: as given.
        known: names that exist.
    """
    names = list(known)
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    return f"did you mean {nearest[0]}?" if nearest else f"choose from {', '.join(names)}."
