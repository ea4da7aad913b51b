# SPDX-License-Identifier: Apache-2.0
"""A function as a command, with python-fire, MONAI's own command line."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import fire

from ..commands.arguments import UsageError, nearest
from ..commands.front import answer, say

__all__ = ["run_command", "say", "switch", "whole_numbers"]


def run_command(command: Callable[..., Any], name: str) -> None:
    """Call a function with the arguments of the command line, and end the process.

    Args:
        command: function whose parameters are the options.
        name: command as the user types it, for the help text, such as "python -m scripts.studies.speed".

    Raises:
        SystemExit: with the exit status, see :func:`~scripts.commands.front.answer`. An unknown option is refused
            before any work; a command with ``**overrides`` judges them itself.
    """
    parameters = inspect.signature(command).parameters
    asks_for_help = {"--help", "-h"} & set(sys.argv[1:])  # fire would take it for one more of the **overrides

    def work() -> None:
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
            _check_flags(parameters, sys.argv[1:])
        fire.Fire(command, ["--", "--help"] if asks_for_help else None, name=name)

    sys.exit(answer(work))


def whole_numbers(name: str, given: int | Sequence[int], least: int) -> list[int]:
    """One or several whole numbers of an option, each once, in order.

    Args:
        name: name of the option.
        given: value of the option, as fire reads it.
        least: smallest number that is allowed.

    Raises:
        ValueError: none, another kind of value, or a smaller one.
    """
    numbers: list[Any] = list(given) if isinstance(given, list | tuple) else [given]
    if not numbers or not all(isinstance(n, int) and not isinstance(n, bool) and n >= least for n in numbers):
        raise ValueError(f"--{name} must be whole numbers, at least {least}, got {given!r}. Example: --{name} {least}.")
    return list(dict.fromkeys(numbers))


def switch(name: str, given: bool | str) -> bool:
    """A yes or no of an option; fire reads ``--quick true`` as a text.

    Raises:
        ValueError: another word.
    """
    if str(given).lower() not in ("true", "false"):
        raise ValueError(f"--{name} must be true or false, got {given!r}.")
    return str(given).lower() == "true"


def _check_flags(parameters: Iterable[str], arguments: Sequence[str]) -> None:
    """Refuse an unknown flag before the work: fire would complain of it only afterwards."""
    known = [*parameters, "help"]
    for argument in arguments:
        flag = re.match(r"--([A-Za-z][\w-]*)", argument)
        if flag and (given := flag[1].replace("-", "_")) not in known:
            raise UsageError(f"there is no option --{flag[1]}. {nearest(given, known, '--')}")
