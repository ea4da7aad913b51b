# SPDX-License-Identifier: Apache-2.0
"""The cells of a plan: one recipe with one seed, as commands of the bundle runner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from ...data.cohort import load_cohort
from ...evaluation import make_conditions
from ...files.hashes import content_hash
from ...recipes.code import code_hash
from ...recipes.places import CONFIGS
from ...recipes.provenance import split_hash
from ...recipes.recipe import Recipe, merged_config

__all__ = [
    "MACHINE_KEYS", "NETWORK", "PLACES", "Cell", "CellMaker", "Step", "fingerprint", "make_cells", "training_config",
    "typed",
]  # fmt: skip

NETWORK = "network"
"""The trained network among the methods of the evaluation; all others are baselines."""
SLICES = ("spatial_dims", "plane", "volume_transforms")
"""Keys that decide what a slice is; only networks that saw the same slices are compared."""
MACHINE_KEYS = ("cache_dir", "num_workers")
"""Arguments that belong to one machine and change no result: a command that is shown leaves them out."""
PLACES = (
    "bundle_root", "dataset_dir", "output_dir", "cache_dir", "device", "num_workers", "resume", "recipe", "imports",
)  # fmt: skip
"""Keys that say where and how fast, not what. Code is found through the other keys, so ``imports`` adds nothing."""


def fingerprint(config: Mapping[str, Any], split: str) -> dict[str, str]:
    """Hashes of the config, the data and the code of a step.

    Args:
        config: merged config, or the part that the step uses.
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


def typed(word: str) -> str:
    """A word as one types it in a shell."""
    return f'"{word}"' if set(word) & set("[]{}'* ") else word


@dataclass(frozen=True)
class Step:
    """One command of the bundle runner.

    Attributes:
        name: ``training`` or ``evaluating``.
        arguments: arguments of the command, by name; paths are absolute.
        fingerprint: what its result depends on.
        result: the file that is there when it has ended well.
    """

    name: str
    arguments: Mapping[str, Any]
    fingerprint: Mapping[str, str]
    result: Path

    def command(self) -> list[str]:
        """Words after ``python``."""
        return self._words(self.arguments)

    def shown(self, places: Mapping[str, str]) -> str:
        """The command as one types it, with other words for the places of this machine.

        Args:
            places: path to word.
        """
        told = {name: value for name, value in self.arguments.items() if name not in MACHINE_KEYS}
        text = " ".join(map(typed, ("python", *self._words(told))))
        for path in sorted(filter(None, places), key=len, reverse=True):
            text = text.replace(path, places[path])
        return text

    def _words(self, arguments: Mapping[str, Any]) -> list[str]:
        values = [word for name, value in arguments.items() for word in (f"--{name}", str(value))]
        return ["-m", "monai.bundle", "run", self.name, *values]


@dataclass(frozen=True)
class Cell:
    """One recipe with one seed; or, without a seed, what needs no training, on one kind of slices.

    Attributes:
        model: name of the recipe, or ``baselines``.
        seed: seed of the training; ``None`` where nothing is trained.
        data: name of the data fragment; only cells with the same slices are compared.
        folder: folder of all its files.
        config: merged config.
        full_epochs: epochs of the recipe itself.
        steps: commands, in order.
    """

    model: str
    seed: int | None
    data: str
    folder: Path
    config: Mapping[str, Any] = field(repr=False)
    full_epochs: int
    steps: tuple[Step, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """Model and seed in words, unique."""
        return f"{self.model} ({self.data} slices)" if self.seed is None else f"{self.model}, seed {self.seed}"

    @property
    def epochs(self) -> int:
        """Epochs that it is trained at most."""
        return int(self.config["max_epochs"])


class CellMaker:
    """Makes the cells of a plan.

    Args:
        dataset_dir: folder of the cohort, absolute; empty for the demo cohort.
        output_dir: folder of the plan, absolute.
        overrides: values for every recipe, such as ``max_epochs``.
    """

    def __init__(self, dataset_dir: str, output_dir: Path, overrides: Mapping[str, Any]) -> None:
        self.split = split_hash(load_cohort(dataset_dir))
        self.dataset_dir = dataset_dir
        self.output_dir = output_dir
        self.overrides = overrides

    def folder(self, *names: str) -> Path:
        """Folder of a cell."""
        return self.output_dir.joinpath("cells", *names)

    def step(self, recipe: Recipe, result: Path, name: str, values: Mapping[str, Any], config: dict[str, Any]) -> Step:
        """One command.

        Args:
            recipe: gives the files.
            result: file that the command writes.
            name: name of the command.
            values: arguments beside the recipe's.
            config: what the result depends on.
        """
        places = {"dataset_dir": self.dataset_dir, "output_dir": str(result.parent)}
        return Step(name, {**recipe.arguments(), **places, **values}, fingerprint(config, self.split), result)

    def trained(self, recipe: Recipe, seed: int, then: Step, overrides: Mapping[str, Any] | None = None) -> Cell:
        """A training and what follows.

        Args:
            recipe: what to train.
            seed: seed of the training.
            then: command that uses the weights.
            overrides: those of the overrides that the training has; by default all.
        """
        values = {**(self.overrides if overrides is None else overrides), "seed": seed}
        config, folder = merged_config(recipe, values), then.result.parent
        training = self.step(recipe, folder / "model.pt", "training", values, training_config(config))
        full_epochs = int(merged_config(recipe)["max_epochs"])
        return Cell(recipe.name, seed, recipe.data, folder, config, full_epochs, (training, then))


def make_cells(
    recipes: Sequence[Recipe], seeds: Sequence[int], dataset_dir: str, output_dir: Path, overrides: Mapping[str, Any]
) -> list[Cell]:
    """Plan a benchmark.

    Each network is evaluated without the baselines, and these once for all recipes that see the same slices. All are
    evaluated with the same damage, whatever the seed of the training.

    Args:
        recipes: recipes to train.
        seeds: seeds of the trainings of all recipes that have none of their own.
        dataset_dir: folder of the cohort, absolute; empty for the demo cohort.
        output_dir: folder of the benchmark, absolute.
        overrides: values for every recipe, such as ``max_epochs``.

    Returns:
        The cells: baselines first, then seed by seed, so that an interrupted benchmark is a smaller one.

    Raises:
        ValueError: two kinds of slices of the same name, an override of what is not there, or a damage that is unknown.
    """
    make = CellMaker(dataset_dir, output_dir, overrides)
    first_of: dict[str, Recipe] = {}
    for recipe in recipes:
        config = merged_config(recipe, overrides)
        make_conditions(config["kinds"], config["severities"])  # before the trainings, not after them
        first = first_of.setdefault(recipe.data, recipe)
        if any(config.get(key) != merged_config(first, overrides).get(key) for key in SLICES):
            raise ValueError(
                f"{recipe.name} and {first.name} see different slices although both call them {recipe.data!r}: give "
                "the slices of one of them a fragment of its own in configs/data."
            )
    all_seeds = dict.fromkeys([*seeds, *(seed for recipe in recipes for seed in recipe.seeds or ())])
    return [
        *(_baselines(make, recipe) for recipe in first_of.values()),
        *(_network(make, recipe, seed) for seed in all_seeds for recipe in recipes if seed in (recipe.seeds or seeds)),
    ]


def _network(make: CellMaker, recipe: Recipe, seed: int) -> Cell:
    values = {
        **make.overrides,
        "seed": seed,
        "rows": [NETWORK],
        "report": False,
    }  # one page replaces those of the cells
    result = make.folder(recipe.name, f"seed_{seed}") / "metrics.csv"
    config = merged_config(recipe, values)
    return make.trained(recipe, seed, make.step(recipe, result, "evaluating", values, _measuring(config)))


def _baselines(make: CellMaker, recipe: Recipe) -> Cell:
    config = merged_config(recipe, make.overrides)
    chosen = {"rows": [name for name in config["rows"] if name != NETWORK], "report": False}
    config |= chosen
    used = set(config) - set(training_config(config)) | {*SLICES, "amp", "batch_size"}
    result = make.folder(f"baselines_{recipe.data}") / "metrics.csv"
    measured = _measuring({key: config[key] for key in used})
    evaluating = make.step(recipe, result, "evaluating", {**make.overrides, **chosen}, measured)
    return Cell("baselines", None, recipe.data, result.parent, config, 0, (evaluating,))


def _measuring(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config without what only shows results: a change there leaves them as they are."""
    evaluate = {key: value for key, value in config["evaluate"].items() if key != "handlers"}
    return {**config, "evaluate": evaluate}
