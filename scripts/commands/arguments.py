# SPDX-License-Identifier: Apache-2.0
"""The parameters of a function as arguments of a command line, checked before the function is called.

Parameters before ``*`` are positional arguments, which may also be given by name; those after it are options;
``**keys`` takes keys of the config file that its annotation names. Annotations give the types, the docstring gives the
help.
"""

from __future__ import annotations

import argparse
import inspect
import re
import shutil
import textwrap
from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches
from types import NoneType
from typing import Annotated, Any, Literal, NoReturn, get_args, get_origin, get_type_hints

from .. import __version__
from ..recipes.places import ROOT

__all__ = ["Count", "Seed", "UsageError", "documentation", "nearest", "parse"]

METAVARS = {"dataset_dir": "DATA", "output_dir": "OUT"}
COMMON = {
    "dataset_dir": "folder of dataset.json, as prepare writes it (tissue masks need region labels); by default the "
    "demo cohort.",
    "output_dir": "folder of the results.",
    "recipe": "name of a file of configs/recipe, or its path.",
    "weights": "model.pt of a training of the recipe; by default that in eval/RECIPE, or else the shipped one.",
    "device": "cpu or cuda.",
}
"""Help of what several commands have, where their docstrings say nothing else."""

Count = Annotated[int, "N"]
"""A whole number of at least 1."""
Seed = Annotated[int, "SEED"]
"""A whole number of at least 0."""


class UsageError(ValueError):
    """The arguments make no sense; nothing has been done yet."""


def _value(read: Callable[[str], Any], rule: str, metavar: str, **settings: Any) -> dict[str, Any]:
    """How argparse reads a value, with an error that says the rule."""

    def reader(text: str) -> Any:
        try:
            return read(text)
        except (ValueError, KeyError):
            raise argparse.ArgumentTypeError(f"must be {rule}, got {text!r}") from None

    return {"type": reader, "metavar": metavar, **settings}


def _whole_number(least: int, metavar: str) -> dict[str, Any]:
    def read(text: str) -> int:
        if int(text) < least:
            raise ValueError
        return int(text)

    return _value(read, f"a whole number of at least {least}", metavar)


YES_NO = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
READING: dict[Any, dict[str, Any]] = {
    bool: _value(lambda text: YES_NO[text.lower()], "true or false", "true|false", nargs="?", const=True),
    int: _value(int, "a whole number", "N"),
    Count: _whole_number(1, "N"),
    Seed: _whole_number(0, "N"),
    float: _value(float, "a number", "X"),
    Sequence[float]: _value(
        lambda text: [float(part) for part in text.strip("[]").split(",")], "numbers such as 0.8,0.2", "X,X"
    ),
    Sequence[str]: {"nargs": "+", "action": "extend"},
    str: {},
}
"""How argparse reads a value, by its type."""


def parse(function: Callable[..., None], program: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Read the arguments of a function.

    Args:
        function: function that takes the arguments.
        program: words before the arguments.
        arguments: arguments as they were typed.

    Returns:
        The values by parameter; keys of a config as text, or ``None`` where one was typed without a value.

    Raises:
        UsageError: an option is unknown, a value is of another type, or one is missing.
    """
    parameters = inspect.signature(function).parameters.values()
    options = [one.name for one in parameters if one.kind is not one.VAR_KEYWORD]
    known: list[str] = []
    keys: dict[str, str | None] = {}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        typed, equals, value = word.partition("=")
        name = typed[2:].replace("-", "_")
        if not word.startswith("--"):
            known.append(word)
        elif name in (*options, "help", "version"):
            known.append(f"--{name}{equals}{value}")
        elif len(options) < len(parameters):
            keys[name] = value if equals else rest.pop(0) if rest and not rest[0].startswith("--") else None
        else:
            raise UsageError(f"there is no option {typed}. {nearest(name, [*options, 'help'], '--')}")
    return {**vars(_parser(function, program, known).parse_intermixed_args(known)), **keys}


def nearest(word: str, known: Collection[str], before: str = "") -> str:
    """A sentence about what may have been meant: the most similar word, or all words, each after ``before``."""
    near = get_close_matches(word, known, n=1)
    return f"Did you mean {before}{near[0]}?" if near else f"Known: {', '.join(before + name for name in known)}."


def documentation(function: Callable[..., None]) -> tuple[str, dict[str, str]]:
    """The paragraphs of a docstring, each a line, and what its Args say of each parameter."""
    text, _, listed = (inspect.getdoc(function) or "").replace("``", "").partition("\n\nArgs:\n")
    texts = dict(COMMON)
    name = ""
    for line in listed.splitlines():
        if line and not line.startswith(" "):
            break
        if found := re.match(r" {4}\*{0,2}(\w+): (.*)", line):
            name, texts[found[1]] = found[1], found[2]
        elif line:
            texts[name] += f" {line.strip()}"
    return "\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n")), texts


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message.removeprefix('argument ')}. See {self.prog} --help.")


def _parser(function: Callable[..., None], program: str, arguments: Sequence[str]) -> _Parser:
    """Parser of a command; a positional argument that is given by name is no positional one this time."""
    about, texts = documentation(function)
    width = shutil.get_terminal_size().columns - 2
    parser = _Parser(
        prog=program,
        description="\n\n".join(textwrap.fill(paragraph, width) for paragraph in about.splitlines()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    names = []
    parser.add_argument("-v", "--version", action="version", version=__version__, help="show the version and exit")
    by_name = {word.partition("=")[0] for word in arguments}
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        settings, note = _reading(hints[name])
        required = parameter.default is parameter.empty
        text = _with_default(texts.get(name, ""), parameter.default)
        if parameter.kind is parameter.VAR_KEYWORD:
            _list_keys(parser.add_argument_group(f"keys of {note}", textwrap.fill(text, width)), note, hints)
        elif parameter.kind is parameter.KEYWORD_ONLY:
            names += [f"--{name} {name.upper()}"] if required else []
            parser.add_argument(f"--{name}", help=text, required=required, **settings)
        else:
            settings["metavar"] = note or METAVARS.get(name, name.upper())
            names.append(settings["metavar"] if required else f"[{settings['metavar']}]")
            parser.add_argument(f"--{name}", help=argparse.SUPPRESS, **settings)
            if f"--{name}" not in by_name:
                optional = {} if required else {"nargs": "?", "default": parameter.default}
                parser.add_argument(name, help=text, **settings | optional)
    parser.usage = " ".join([program, *names, "[--OPTION VALUE ...]"])
    return parser


def _reading(hint: Any) -> tuple[dict[str, Any], str]:
    """How argparse reads a value of a type, and the note of an ``Annotated`` one."""
    plain, note = get_args(hint) if get_origin(hint) is Annotated else (hint, "")
    if NoneType in get_args(plain):
        plain = get_args(plain)[0]
    if get_origin(plain) is Literal:
        known = {word: word for word in get_args(plain)}
        settings = _value(known.__getitem__, f"one of {', '.join(known)}", "|".join(known))
        return settings, note or settings["metavar"]
    return dict(READING.get(hint) or READING[plain]), note


def _with_default(text: str, default: Any) -> str:
    """Help of an argument with its default value, where that is not nothing; percent signs as argparse wants them."""
    if default not in (None, "", inspect.Parameter.empty):
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
        text += f" (default: {shown.lower() if isinstance(default, bool) else shown})"
    return text.replace("%", "%%").strip()


def _list_keys(group: Any, file: str, others: Collection[str]) -> None:
    """Show the keys of a config file with their comments; the command itself judges them."""
    for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
        found = re.match(r"""(\w+): +(?!['"]?@)([^#\s][^#]*?) *(?:# *(.*))?$""", line)
        if found and found[1] not in others:
            group.add_argument(f"--{found[1]}", metavar="VALUE", help=_with_default(found[3] or "", found[2]))
