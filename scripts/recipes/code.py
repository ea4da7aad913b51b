# SPDX-License-Identifier: Apache-2.0
"""The code that a config uses: what a result depends on, and the files that a bundle must hold.

Both follow the names in a config to modules of this package, and the relative imports of those modules, also inside
functions. ``scripts.networks.SkipCAE`` is the module that the package has it from, not the networks beside it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ..files.hashes import content_hash, file_hash
from . import places

__all__ = ["code_hash", "needed_files", "used_modules"]

FILE_NAME = re.compile(r"[\w-]+(\.[\w-]+)+")
"""What a text in a module may be to name a file beside it, such as a template of a page."""


def code_hash(config: Any) -> str:
    """Hash the sources that :func:`used_modules` finds.

    Args:
        config: any part of a config.

    Returns:
        16 hexadecimal digits; the same with and without a git checkout.
    """
    modules = used_modules(config)
    return content_hash({path.relative_to(places.PACKAGE_DIR).as_posix(): file_hash(path) for path in modules})


def used_modules(config: Any) -> list[Path]:
    """The modules of this package on which the results of a config depend.

    A name that a package takes from a module counts as that module, so a new network beside the one in use changes
    nothing. A name that the package does not know counts as all its modules.

    Args:
        config: any part of a config; every text in it is searched for ``scripts.a.b``.

    Returns:
        Python files, sorted.
    """
    name = re.compile(rf"\b{places.PACKAGE}(?:\.\w+)+")
    waiting = [path for text in _texts(config) for found in name.findall(text) for path in _behind(found)]
    reached: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached.add(path)
            waiting += [file for _, imported in _imports(path) for file in _behind(imported)]
    return sorted(reached)


def needed_files(config: Any) -> list[Path]:
    """The files of this package that the names in a config need, but for the ``__init__.py`` of their packages.

    Args:
        config: any part of a config, or several in a list; every text in it is searched for ``scripts.a.b``.

    Returns:
        Modules, and the other files that the modules name and that lie beside them, sorted.
    """
    modules = used_modules(config)
    return sorted({*modules, *(file for module in modules for file in _files_beside(module))})


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, str):
        yield value


def _behind(name: str) -> tuple[Path, ...]:
    """Files behind a dotted name: a module, an ``__init__.py``, or the module from which a package has the name."""
    place = places.PACKAGE_DIR.parent
    for part in name.split("."):
        if (place / f"{part}.py").is_file():
            return (place / f"{part}.py",)
        if not (place / part / "__init__.py").is_file():
            return _origin(place, part)
        place /= part
    return (place / "__init__.py",)


def _origin(package: Path, name: str) -> tuple[Path, ...]:
    file = package / "__init__.py"
    for bound, imported in _imports(file):
        if bound == name:
            return _behind(imported)
    return (file,) if name in _defined(file) else tuple(sorted(package.glob("*.py")))


@cache
def _imports(path: Path) -> tuple[tuple[str, str], ...]:
    """The relative imports of a module: the name that each binds, and the dotted name that it stands for."""
    package = path.relative_to(places.PACKAGE_DIR.parent).parts[:-1]
    found = []
    for node in _nodes(_parsed(path), functions=path.name != "__init__.py"):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *([node.module] if node.module else [])]
            found += [(alias.asname or alias.name, ".".join([*base, alias.name])) for alias in node.names]
    return tuple(found)


def _nodes(node: ast.AST, functions: bool) -> Iterator[ast.AST]:
    """All parts of a module that run: not what only type checkers read, nor what an ``__init__`` loads on first use."""
    for child in ast.iter_child_nodes(node):
        unread = isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")
        if not unread and (functions or not isinstance(child, ast.FunctionDef)):
            yield child
            yield from _nodes(child, functions)


@cache
def _defined(path: Path) -> frozenset[str]:
    """Names that a module itself gives a meaning."""
    names: set[str] = set()
    for node in _parsed(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return frozenset(names)


def _files_beside(path: Path) -> list[Path]:
    texts = {node.value for node in ast.walk(_parsed(path)) if isinstance(node, ast.Constant) and node.value}
    names = {text for text in texts if isinstance(text, str) and FILE_NAME.fullmatch(text)}
    return [path.with_name(name) for name in names if path.with_name(name).is_file()]


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())
