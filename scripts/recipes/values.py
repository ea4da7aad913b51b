# SPDX-License-Identifier: Apache-2.0
"""Values of the keys of a config: what MONAI does not check, and makes of them."""

from __future__ import annotations

import os
import re
import sys
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch

__all__ = ["EXPRESSIONS", "KINDS", "as_text", "checked_value"]

EXPRESSIONS = ("$", "@", "%")
KINDS: dict[type, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a text"),
    list: ((list,), "a list, such as [1, 2]"),
}
"""Types of what may take the place of a value of a type, and what they are called."""

LEAST = {
    "max_epochs": 1, "batch_size": 1, "accumulation_steps": 1, "val_interval": 1, "early_stopping_patience": 1,
    "learning_rate": 0, "seed": 0,
}  # fmt: skip
SWITCHES = {"amp"}
"""Booleans whose default is found out."""
TRUE, FALSE = ("true", "yes", "on"), ("false", "no", "off")
FOLDERS = {"dataset_dir", "output_dir"}


def as_text(text: str) -> str:
    r"""A value of a config that stands for a text as it is.

    MONAI runs what begins with ``$`` as code, takes ``@`` for a reference and ``%`` for a file, and puts ``::`` in
    place of every ``#``, in any text.

    Example:
        >>> as_text("heads"), as_text("heads#2")
        ('heads', "$'heads\\x232'")
    """
    if not text.startswith(EXPRESSIONS) and not re.search(r"#|[@%]::", text):
        return text
    return "$" + re.sub(r"[#@%]", lambda sign: f"\\x{ord(sign[0]):02x}", repr(text))


def checked_value(key: str, value: Any, default: Any = None) -> Any:
    """A value as its key means it: booleans as YAML has them, paths as text, a device that is there.

    Args:
        key: key at the top level of a config.
        value: value from a file, a command line or Python; an expression of MONAI stays as it is.
        default: value of the key in the bundle, whose type is asked for; none is where it is an expression.

    Raises:
        ValueError: the value is of another type, out of range, or a folder that MONAI took for something else.
    """
    if key in FOLDERS and value is not None:
        _check_folder(key, value)
    if isinstance(value, os.PathLike):
        return as_text(os.fspath(value))
    if isinstance(value, str) and value.startswith(EXPRESSIONS):
        return value
    if key == "device":
        return value if value is None else f"$torch.device('{_usable_device(value)}')"
    if key in SWITCHES and isinstance(value, dict):  # a component finds it out
        return value
    known = not (isinstance(default, str) and default.startswith(EXPRESSIONS))
    kind = bool if key in SWITCHES else type(default)
    if key in SWITCHES or (known and kind in KINDS):
        value = _of_kind(key, value, kind)
    if key in LEAST and value is not None:
        value = _of_kind(key, value, float if key == "learning_rate" else int)
        if not value >= LEAST[key]:
            raise ValueError(f"{key} must be at least {LEAST[key]}, got {value}.")
    return value


def _of_kind(key: str, value: Any, kind: type) -> Any:
    if kind is bool and isinstance(value, str):
        word = value.lower()
        if word not in (*TRUE, *FALSE):
            raise ValueError(f"{key} is {value!r}: give true or false.")
        return word in TRUE
    if kind is list and isinstance(value, str | tuple):  # one word, or what a command line makes of 1,3
        return [value] if isinstance(value, str) else list(value)
    if kind is float and isinstance(value, str) and re.fullmatch(r"[-+]?\d+\.?\d*[eE][-+]?\d+", value):
        return float(value)  # YAML 1.1 takes 1e-4 for a text
    if isinstance(value, np.generic | Integral | Real) and not isinstance(value, bool | int | float):
        value = value.item() if isinstance(value, np.generic) else float(value)
    if type(value) not in KINDS[kind][0] and not (value is None and kind in (str, list)):
        raise ValueError(f"{key} must be {KINDS[kind][1]}, got {value!r}.")
    return value


def _usable_device(value: Any) -> torch.device:
    try:
        device = torch.device(value)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device {str(value)!r} is unknown: give cpu, cuda or cuda:0.") from error
    try:
        torch.empty(1, device=device)
    except Exception as error:  # each kind of device has its own
        count = torch.cuda.device_count()
        there = f"this machine has cpu{''.join(f', cuda:{number}' for number in range(count))}"
        raise ValueError(f"device {str(value)!r} cannot be used: {there}.") from error
    return device


def _check_folder(key: str, value: Any) -> None:
    """Refuse a folder that was typed and that MONAI takes for something else; in a config it may be an expression."""
    if isinstance(value, os.PathLike):
        return
    if not isinstance(value, str):
        raise ValueError(f"--{key} {value} is read as a number or a list: write ./{value}.")
    typed = [word for word in sys.argv[1:] if re.sub(r"^--\w+=", "", word).replace("#", "::") == value]
    if typed and value.startswith(EXPRESSIONS):
        raise ValueError(f"--{key} {value} is read as an expression: write ./{value}.")
    if any("#" in word for word in typed):
        raise ValueError(f"--{key} becomes {value}, as MONAI reads # for ::. Rename the folder.")
