# SPDX-License-Identifier: Apache-2.0
"""What the result of a step depends on: by it a finished cell is recognised, wherever it was made.

FOLDED: A hash of the code that a config uses, so that a change elsewhere does not make its results stale.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from ...recipes.places import CONFIGS, PACKAGE, ROOT

__all__ = ["code_hash", "content_hash", "file_hash", "fingerprint", "training_config", "used_modules"]

NAME = re.compile(rf"\b{PACKAGE}(?:\.\w+)+")


def code_hash(config: Any) -> str:
    """Hash the sources that :func:`used_modules` finds.

    Args:
        config: any part of a config.

    Returns:
        The first 16 hexadecimal digits of a SHA-256; the same with and without a git checkout.
    """
    digest = hashlib.sha256()
    for path in used_modules(config):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def used_modules(config: Any) -> list[Path]:
    """The modules of this package that a config names, and those that they import.

    A name that a package exports counts as the module whose ``__all__`` has it, so a new network beside the one in use
    changes nothing. Where no module has it, the whole package counts.

    Args:
        config: any part of a config; every text in it is searched for ``scripts.a.b``.

    Returns:
        Python files, sorted.
    """
    waiting = [
        path for text in _texts(config) for name in NAME.findall(text) for path in _named(tuple(name.split(".")))
    ]
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path)
    return sorted(found)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, str):
        yield value


@cache
def _named(parts: tuple[str, ...]) -> tuple[Path, ...]:
    """Files behind a dotted name: a module, or the module of a package that exports the next part."""
    place = ROOT
    for number, part in enumerate(parts):
        if (place / f"{part}.py").is_file():
            return (place / f"{part}.py",)
        if not (place / part / "__init__.py").is_file():
            return _exporting(place, parts[number]) if number else ()
        place = place / part
    return ()


@cache
def _exporting(package: Path, name: str) -> tuple[Path, ...]:
    modules = tuple(sorted(package.glob("*.py")))
    if package == ROOT:
        return ()
    return tuple(path for path in modules if path.stem != "__init__" and name in _exports(path)) or modules


@cache
def _exports(path: Path) -> frozenset[str]:
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return frozenset(
                item.value
                for item in ast.walk(node.value)
                if isinstance(item, ast.Constant) and isinstance(item.value, str)
            )
    return frozenset()


@cache
def _imported(path: Path) -> tuple[Path, ...]:
    """Files that the relative imports of a module mean, also those inside its functions."""
    package = path.relative_to(ROOT).parts[:-1]
    found: list[Path] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            module = base + tuple(node.module.split(".")) if node.module else base
            for alias in node.names:
                found += _named((*module, alias.name))
    return tuple(found)


PLACES = (
    "bundle_root",
    "dataset_dir",
    "output_dir",
    "cache_dir",
    "device",
    "num_workers",
    "resume",
    "recipe",
    "imports",
)
"""Keys that say where and how fast, not what. Code is found through the other keys, so ``imports`` adds nothing."""


def fingerprint(config: Mapping[str, Any], split: str) -> dict[str, str]:
    """Hashes of the config, the data and the code of a step.

    Args:
        config: as merged, or the part that the step uses.
        split: hash of the cohort, see :func:`scripts.recipes.provenance.split_hash`.

    Returns:
        ``config``, ``data`` and ``code``, 16 hexadecimal digits each.
    """
    what = {key: value for key, value in config.items() if key not in PLACES}
    return {"config": content_hash(what), "data": split, "code": code_hash(what)}


def training_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a merged config that training uses: all but the keys of ``configs/evaluate.yaml``."""
    evaluation = {key.lstrip("+") for key in ConfigParser.load_config_file(CONFIGS / "evaluate.yaml")}
    return {key: value for key, value in config.items() if key not in evaluation}


def content_hash(content: Any) -> str:
    """Hash of plain values; the order of keys does not count."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_hash(path: Path) -> str:
    """Hash of a file's content; empty for a file that is not there."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
