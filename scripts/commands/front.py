# SPDX-License-Identifier: Apache-2.0
"""What all commands share: the choice of a word, results and errors on the right stream, the exit status.

A command is a function that prints its results with :func:`say`, or a dictionary of such functions by their words. No
file of this room imports anything slow at its top, so that ``--help`` is quick.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from pathlib import Path
from typing import TextIO

from .. import __version__
from ..files.errors import Terminated, heed_termination, one_line
from ..recipes.places import PACKAGE
from .arguments import UsageError, documentation, nearest, parse

__all__ = [
    "Command", "answer", "call", "choose", "refuse_former", "say", "say_written", "start_logging", "usage_errors",
]  # fmt: skip

Command = Callable[..., None] | Mapping[str, "Command"]

FAILED, USAGE, INTERRUPTED, TERMINATED = 1, 2, 130, 143

FORMER = {
    **{name: f" {name}" for name in ("demo", "latent", "prepare")},
    **{name: f".studies.{name}" for name in ("benchmark", "rate_distortion", "speed", "uncertainty")},
    "consistency": " tissue consistency",
    "import_keras": " import-keras",
    "normative": " chart",
    "plausibility": " tissue criteria",
}
"""What ``python -m scripts.NAME`` of version 0.1.0 is called now, after ``python -m scripts``."""
DONE = {"vae_peer": "docs/studies/pythae.md", "weak_scaling": "docs/studies/scaling.md"}
"""Measurements of version 0.1.0 that are not repeated, and where their results are."""

_results: ContextVar[TextIO] = ContextVar("results")


def answer(work: Callable[[], None]) -> int:
    """Do what was asked for; an error of the user's making becomes one line on standard error.

    Returns:
        Exit status: 0; 1 for a failure; 2 for arguments that make no sense; 130 if interrupted, 143
        if terminated.
    """
    start_logging()
    heed_termination()
    try:
        work()
    except KeyboardInterrupt as error:
        return _fail(str(one_line(error)), TERMINATED if isinstance(error, Terminated) else INTERRUPTED)
    except Exception as error:
        line = one_line(error)
        if line is None:
            raise
        return _fail(line, USAGE if isinstance(error, UsageError) else FAILED)
    return 0


def start_logging() -> None:
    """Write the log of a command to standard error, and of the libraries what concerns its user."""
    logging.basicConfig(stream=sys.stderr, format="%(message)s")
    logging.getLogger(PACKAGE).setLevel(logging.INFO)
    logging.getLogger("monai").setLevel(logging.ERROR)
    logging.getLogger("ignite").setLevel(logging.CRITICAL)  # it says what ends a run, as this does


def call(command: Command, program: str, arguments: Sequence[str]) -> None:
    """Call a command.

    Args:
        command: function, or functions by their words.
        program: words before the arguments.
        arguments: arguments as they were typed.

    Raises:
        UsageError: the arguments do not fit.
    """
    while isinstance(command, Mapping):
        word = choose(program, {name: _summary(one) for name, one in command.items()}, arguments)
        command, program, arguments = command[word], f"{program} {word}", arguments[1:]
    values = parse(command, program, arguments)
    results = _results.set(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):  # MONAI logs to standard output, which is for results
            command(**values)
    finally:
        _results.reset(results)


def choose(program: str, words: Mapping[str, str], arguments: Sequence[str]) -> str:
    """The word with which the arguments begin.

    Args:
        program: words before the arguments.
        words: the words, each with a line for the help.
        arguments: arguments as they were typed.

    Raises:
        UsageError: there is no such word.
    """
    first = arguments[0] if arguments else ""
    if first in words:
        return first
    if first in ("-h", "--help"):
        width = max(map(len, words))
        lines = [f"  {word:{width}}  {text}" for word, text in words.items()]
        say("\n".join([f"usage: {program} WORD ...", "", *lines, "", f"{program} WORD --help says more."]))
        raise SystemExit
    if first == "--version":
        say(__version__)
        raise SystemExit
    needed = f"{program} needs a command: {', '.join(words)}."
    raise UsageError(f"{program} {first} is no command. {nearest(first, words)}" if first else needed)


def say(text: str) -> None:
    """Write a result to standard output; progress goes to standard error."""
    stream = _results.get(sys.stdout)
    stream.write(f"{text}\n")
    stream.flush()


def say_written(files: Sequence[Path]) -> None:
    """Name the files of one folder that were written."""
    say(f"wrote {', '.join(file.name for file in files)} into {files[0].parent}")


@contextmanager
def usage_errors() -> Iterator[None]:
    """Make the errors of a block that only checks arguments a :class:`UsageError`."""
    try:
        yield
    except (ValueError, TypeError, OSError) as error:
        raise UsageError(str(error)) from error


def refuse_former(module: str) -> None:
    """End ``python -m scripts.MODULE``, if that was a command once, with what it is called now."""
    former = f"error: python -m {PACKAGE}.{module}"
    if module in FORMER:
        raise SystemExit(_fail(f"{former} is now python -m {PACKAGE}{FORMER[module]}", USAGE))
    if module in DONE:
        raise SystemExit(_fail(f"{former} is no longer there; its results are in {DONE[module]}", USAGE))


def _fail(text: str, status: int) -> int:
    sys.stderr.write(f"{text}\n")
    return status


def _summary(command: Command) -> str:
    return ", ".join(command) if isinstance(command, Mapping) else documentation(command)[0].partition("\n")[0]
