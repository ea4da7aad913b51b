# SPDX-License-Identifier: Apache-2.0
"""The experiments that a benchmark can run: recipe files, and the cells of a grid of fragments."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from ..files.errors import suggestion, unwrapped
from .places import CONFIGS, ROOT

__all__ = ["Recipe", "build", "find_recipe", "find_recipes", "grid_recipes", "known_recipes", "merged_config"]


@dataclass(frozen=True)
class Recipe:
    """One experiment.

    Attributes:
        name: unique; the folder of its results is called after it.
        files: config files, relative to the root, in the order in which they are merged.
        settings: values that win over the files.
        args_file: the recipe's own file, relative to the root; ``None`` for a cell of a grid.
        seeds: of its trainings, where it has others than the rest of the benchmark.
    """

    name: str
    files: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    args_file: str | None = None
    seeds: tuple[int, ...] | None = None

    def arguments(self) -> dict[str, Any]:
        """What MONAI's runner is told: ``args_file``, or ``config_file`` and the settings."""
        if self.args_file is not None:
            return {"args_file": self.args_file}
        return {"config_file": list(self.files), **self.settings}

    @property
    def data(self) -> str:
        """Name of the ``data/`` fragment that makes its slices; ``default`` where there is none."""
        return next((Path(file).stem for file in reversed(self.files) if Path(file).parent.name == "data"), "default")


def find_recipes(patterns: str | Sequence[str]) -> list[Recipe]:
    """Recipes whose name fits one of the patterns, or whose file is named.

    Args:
        patterns: names with ``*`` and ``?``, or paths of recipe files; several in a list or separated by commas. Those
            of a pattern like ``thesis_*@0+1`` have seeds of their own.

    Returns:
        The recipes in the order of the patterns, each once, as the last pattern that it fits says.

    Raises:
        ValueError: a pattern that nothing fits (the nearest name is shown), or seeds that are no numbers.
        FileNotFoundError: a path that names no file.

    Example:
        >>> [recipe.name for recipe in brain_ae.find_recipes("*vae")]
        ['ar_vae', 'beta_vae', 'ce_vae', 'constrained_vae', 'vae']
        >>> len(brain_ae.find_recipes("thesis_*"))
        18
    """
    listed = patterns.split(",") if isinstance(patterns, str) else [str(pattern) for pattern in patterns]
    known = known_recipes()
    found: dict[str, Recipe] = {}
    for text in listed:
        pattern, _, numbers = text.strip().partition("@")
        if pattern.endswith((".yaml", ".yml", ".json")):
            fitting = [_from_file(path) for path in _files(pattern)]
        else:
            fitting = [recipe for name, recipe in known.items() if fnmatch(name, pattern)]
        if not fitting:
            nearest = difflib.get_close_matches(pattern.strip("*"), known, n=1, cutoff=0.3)
            hint = f"did you mean {nearest[0]}? " if nearest else ""
            raise ValueError(
                f"no recipe fits {pattern!r}: {hint}Known are the files of configs/recipe and the cells of the grids "
                f"in configs/grid ({', '.join(sorted({name.partition('_')[0] + '_*' for name in known}))})."
            )
        found |= {recipe.name: replace(recipe, seeds=_own_seeds(numbers)) for recipe in fitting}
    return list(found.values())


def find_recipe(name: str) -> Recipe:
    """The one recipe of a name, or of a file.

    Raises:
        ValueError: there is no such recipe (the nearest name is shown), or there are several.
        FileNotFoundError: a path that names no file.
    """
    if Path(name).is_file():
        return _from_file(Path(name).absolute())
    found = find_recipes(name)
    if len(found) > 1:
        raise ValueError(f"recipe must be one recipe, got {name!r}, which fits {len(found)}.")
    return found[0]


def _own_seeds(numbers: str) -> tuple[int, ...] | None:
    """The seeds behind the ``@`` of a pattern; ``None`` where there are none."""
    words = numbers.split("+") if numbers else []
    if not all(word.isdecimal() for word in words):
        raise ValueError(f"seeds behind @ must be whole numbers joined by +, got {numbers!r}. Example: thesis_*@0+1.")
    return tuple(dict.fromkeys(map(int, words))) or None


def known_recipes() -> dict[str, Recipe]:
    """All recipe files and all cells of all grids, by name."""
    recipes = [_from_file(path) for path in sorted((CONFIGS / "recipe").glob("*.yaml"))]
    for path in sorted((CONFIGS / "grid").glob("*.yaml")):
        recipes += grid_recipes(path)
    return {recipe.name: recipe for recipe in recipes}


def grid_recipes(path: str | Path) -> list[Recipe]:
    """The cells of a grid: one fragment of each of its slots, in all combinations.

    Args:
        path: YAML with ``config_file`` (the files that all cells begin with) and ``grid`` (slot, which is a folder of
            ``configs``, to names of its fragments; ``null`` for none). Its other keys are settings of every cell.

    Returns:
        One recipe for each combination, named after the file and its fragments.

    Raises:
        ValueError: the file has no ``config_file`` or ``grid``.
        FileNotFoundError: a fragment that does not exist.
    """
    content = ConfigParser.load_config_file(path)
    if not isinstance(content.get("grid"), dict) or not isinstance(content.get("config_file"), list):
        raise ValueError(f"{path} must have the keys config_file (a list) and grid (slot: list of fragments).")
    settings = {key: value for key, value in content.items() if key not in ("config_file", "grid")}
    recipes = []
    for chosen in itertools.product(*content["grid"].values()):
        picked = [(slot, fragment) for slot, fragment in zip(content["grid"], chosen, strict=True) if fragment]
        fragments = [f"configs/{slot}/{fragment}.yaml" for slot, fragment in picked]
        for file in fragments:
            if not (ROOT / file).is_file():
                raise FileNotFoundError(f"{path} names {file}, which does not exist.")
        name = "_".join([Path(path).stem, *(fragment for _, fragment in picked)])
        recipes.append(Recipe(name, (*content["config_file"], *fragments), {"recipe": name, **settings}))
    return recipes


def merged_config(recipe: Recipe, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The config as the bundle runner merges it from the recipe's files, its settings and the command line.

    Raises:
        ValueError: an override of what is not there (the nearest key is shown).
    """
    parser = ConfigParser()
    parser.read_config([str(ROOT / file) for file in recipe.files])
    known = [key for key in parser.get() if key != "_meta_"]
    for key in (name.partition("#")[0] for name in overrides or {}):
        if key not in known:
            raise ValueError(f"unknown key {key!r}: {suggestion(key, sorted(known))}")
    try:
        parser.update({**recipe.settings, **(overrides or {})})
    except KeyError as error:
        raise ValueError(f"{recipe.name} has no such value to set: {error.args[0]}.") from error
    return {key: value for key, value in parser.get().items() if key != "_meta_"}


def build(config: Mapping[str, Any], part: str) -> Any:
    """Make the object that a part of a config declares.

    Args:
        config: merged config; stays as it is.
        part: its id, such as ``network_def`` or ``train#dataset``.

    Raises:
        Exception: whatever a component raises, without the ``RuntimeError`` in which MONAI wraps it.
    """
    try:
        return ConfigParser(deepcopy(dict(config))).get_parsed_content(part)
    except RuntimeError as error:
        failure = unwrapped(error)
    raise failure  # not within the except, which would make the wrapping its context


def _from_file(path: Path) -> Recipe:
    content = ConfigParser.load_config_file(path)
    files = content.pop("config_file", None)
    if not isinstance(files, list):
        raise ValueError(f"{path} is no recipe: it must list its files under config_file.")
    named = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return Recipe(path.stem, tuple(files), content, str(named))


def _files(pattern: str) -> list[Path]:
    folder = Path(pattern).parent
    found = sorted(path.absolute() for path in folder.glob(Path(pattern).name))
    if not found:
        raise FileNotFoundError(f"there is no recipe file {pattern}.")
    return found
