# SPDX-License-Identifier: Apache-2.0
"""A function as a command, with python-fire."""

from __future__ import annotations

import difflib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import fire

from ..files.errors import clean_exit

__all__ = ["run_command", "whole_numbers"]


def run_command(command: Callable[..., Any], name: str) -> None:
    """Call a function with the arguments of the command line.

    Args:
        command: its parameters are the options.
        name: what the user typed, for the help text, such as "python -m scripts prepare".

    Raises:
        SystemExit: an unknown option, before any work. A command with ``**overrides`` judges them itself.
    """
    parameters = inspect.signature(command).parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        with clean_exit():
            _check_flags(parameters, sys.argv[1:])
    asks_for_help = {"--help", "-h"} & set(sys.argv[1:])  # fire would take it for one more of the **overrides
    fire.Fire(command, ["--", "--help"] if asks_for_help else None, name=name)


def whole_numbers(name: str, given: int | Sequence[int], least: int) -> list[int]:
    """One or several whole numbers of an option, each once, in order.

    Args:
        name: of the option.
        given: what the user typed, as fire reads it.
        least: smallest that is allowed.

    Raises:
        ValueError: none, another kind of value, or a smaller one.
    """
    numbers = [given] if isinstance(given, int) else list(given)
    if not numbers or not all(isinstance(n, int) and not isinstance(n, bool) and n >= least for n in numbers):
        raise ValueError(f"--{name} must be whole numbers, at least {least}, got {given!r}. Example: --{name} {least}.")
    return list(dict.fromkeys(numbers))


def _check_flags(parameters: Iterable[str], arguments: Sequence[str]) -> None:
    """Refuse an unknown flag before the work: fire would complain of it only afterwards."""
    known = [*parameters, "help"]
    for argument in arguments:
        flag = re.match(r"--([A-Za-z][\w-]*)", argument)
        if flag and (given := flag[1].replace("-", "_")) not in known:
            near = difflib.get_close_matches(given, known, n=1)
            hint = f"Did you mean --{near[0]}?" if near else f"Known: {', '.join(f'--{one}' for one in known)}."
            raise ValueError(f"there is no option {argument.split('=')[0]}. {hint}")
