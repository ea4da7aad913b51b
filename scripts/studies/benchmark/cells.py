# SPDX-License-Identifier: Apache-2.0
"""The cells of a benchmark: training and evaluation for each recipe and seed, and one evaluation of the baselines.

FOLDED: What distinguishes one recipe from another, read from its merged config.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ...data.cohort import load_cohort
from ...evaluation import make_conditions
from ...recipes.provenance import split_hash
from ...recipes.recipe import Recipe, merged_config
from .fingerprint import PLACES, content_hash, fingerprint, training_config

__all__ = ["NETWORK", "UNTOLD", "Cell", "Factors", "Step", "factors", "make_cells", "typed"]

NETWORK = "network"
"""The trained network among the methods of the evaluation; all others are baselines."""
SLICES = ("spatial_dims", "plane", "volume_transforms")
"""Keys that decide what a slice is; only networks that saw the same slices are compared."""


UNTOLD = ("cache_dir", "num_workers")
"""Arguments that belong to one machine and change no result: a command that is shown leaves them out."""


def typed(word: str) -> str:
    """A word as one types it in a shell."""
    return f'"{word}"' if set(word) & set("[]{}'* ") else word


@dataclass(frozen=True)
class Step:
    """One command of the bundle runner.

    Attributes:
        name: ``training`` or ``evaluating``.
        arguments: of the command, by name; paths are absolute.
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
        told = {name: value for name, value in self.arguments.items() if name not in UNTOLD}
        text = " ".join(map(typed, ("python", *self._words(told))))
        for path in sorted(filter(None, places), key=len, reverse=True):
            text = text.replace(path, places[path])
        return text

    def _words(self, arguments: Mapping[str, Any]) -> list[str]:
        values = [word for name, value in arguments.items() for word in (f"--{name}", str(value))]
        return ["-m", "monai.bundle", "run", self.name, *values]


@dataclass(frozen=True)
class Cell:
    """One recipe with one seed; or, without a seed, the baselines on one kind of slices.

    Attributes:
        model: name of the recipe, or ``baselines``.
        seed: of the training; ``None`` for the baselines.
        data: name of the data fragment; only cells with the same slices are compared.
        folder: of all its files.
        config: as merged.
        full_epochs: epochs of the recipe itself.
        steps: in order.
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


def make_cells(
    recipes: Sequence[Recipe],
    seeds: Sequence[int],
    dataset_dir: str,
    output_dir: Path,
    overrides: Mapping[str, Any],
) -> list[Cell]:
    """Plan a benchmark.

    Each network is evaluated without the baselines, and these once for all recipes that see the same slices. All are
    evaluated with the same damage, whatever the seed of the training.

    Args:
        recipes: what to train.
        seeds: of the trainings of all recipes that have none of their own.
        dataset_dir: folder of the cohort, absolute; empty for the demo cohort.
        output_dir: folder of the benchmark, absolute.
        overrides: values for every recipe, such as ``max_epochs``.

    Returns:
        The cells: baselines first, then seed by seed, so that an interrupted benchmark is a smaller one.

    Raises:
        ValueError: two kinds of slices of the same name, an override of what is not there, or a damage that is unknown.
    """
    make = _CellMaker(split_hash(load_cohort(dataset_dir)), dataset_dir, output_dir, overrides)
    first_of: dict[str, Recipe] = {}
    for recipe in recipes:
        config = merged_config(recipe, overrides)
        make_conditions(config["kinds"], config["severities"])  # before the trainings, not after them
        first = first_of.setdefault(recipe.data, recipe)
        if make.slices(recipe) != make.slices(first):
            raise ValueError(
                f"{recipe.name} and {first.name} see different slices although both call them {recipe.data!r}: give "
                "the slices of one of them a fragment of its own in configs/data."
            )
    all_seeds = dict.fromkeys([*seeds, *(seed for recipe in recipes for seed in recipe.seeds or ())])
    return [
        *(make.baselines(recipe) for recipe in first_of.values()),
        *(make.network(recipe, seed) for seed in all_seeds for recipe in recipes if seed in (recipe.seeds or seeds)),
    ]


@dataclass(frozen=True)
class _CellMaker:
    split: str
    dataset_dir: str
    output_dir: Path
    overrides: Mapping[str, Any]

    def slices(self, recipe: Recipe) -> dict[str, Any]:
        config = merged_config(recipe, self.overrides)
        return {key: config.get(key) for key in SLICES}

    def network(self, recipe: Recipe, seed: int) -> Cell:
        folder = self.output_dir / "cells" / recipe.name / f"seed_{seed}"
        config = merged_config(recipe, {**self.overrides, "seed": seed})
        training = Step(
            "training",
            self._arguments(recipe, folder, {"seed": seed}),
            fingerprint(training_config(config), self.split),
            folder / "model.pt",
        )
        chosen = {"rows": [NETWORK], "report": False}  # the benchmark's page replaces those of the cells
        evaluating = Step(
            "evaluating",
            self._arguments(recipe, folder, {"seed": seed, **chosen}),
            fingerprint(_measuring({**config, **chosen}), self.split),
            folder / "metrics.csv",
        )
        full_epochs = int(merged_config(recipe)["max_epochs"])
        return Cell(recipe.name, seed, recipe.data, folder, config, full_epochs, (training, evaluating))

    def baselines(self, recipe: Recipe) -> Cell:
        folder = self.output_dir / "cells" / f"baselines_{recipe.data}"
        config = merged_config(recipe, self.overrides)
        config |= {"rows": [name for name in config["rows"] if name != NETWORK], "report": False}
        chosen = {key: config[key] for key in ("rows", "report")}
        used = set(config) - set(training_config(config)) | {*SLICES, "amp", "batch_size"}
        evaluating = Step(
            "evaluating",
            self._arguments(recipe, folder, chosen),
            fingerprint(_measuring({key: config[key] for key in used}), self.split),
            folder / "metrics.csv",
        )
        return Cell("baselines", None, recipe.data, folder, config, 0, (evaluating,))

    def _arguments(self, recipe: Recipe, folder: Path, values: Mapping[str, Any]) -> dict[str, Any]:
        places = {"dataset_dir": self.dataset_dir, "output_dir": str(folder)}
        return {**recipe.arguments(), **self.overrides, **places, **values}


def _measuring(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config without what only shows results: a change there leaves them as they are."""
    evaluate = {key: value for key, value in config["evaluate"].items() if key != "handlers"}
    return {**config, "evaluate": evaluate}


LOSSES = {"MSELoss": "MSE", "DSSIMLoss": "DSSIM"}
FREE = ("network_def", "reconstruction_loss", "regularisers", "corruption", "max_epochs", "seed")
"""Keys that the factors themselves describe, or that the benchmark sets for all."""
TUNED_TO_LOSS = ("early_stopping_min_delta", "lr_scheduler")
"""Thresholds of the thesis's schedule, which follow the scale of the loss."""


@dataclass(frozen=True)
class Factors:
    """The factors of the experiment.

    Attributes:
        network: class of the network.
        variant: its arguments other than the number of axes and channels; empty where there are none.
        loss: ``MSE``, ``DSSIM`` or the class of another reconstruction loss.
        l2: whether kernels are penalised.
        damage: hash of the training damage; ``none`` for clean to clean.
        design: hash of all else (data, optimiser, batch size, ...): cells of one design are comparable.
    """

    network: str
    variant: str
    loss: str
    l2: bool
    damage: str
    design: str

    def matches(self, other: Factors, varying: tuple[str, ...]) -> bool:
        """Whether all factors but the varying ones are equal."""
        return all(getattr(self, f.name) == getattr(other, f.name) for f in fields(self) if f.name not in varying)


def factors(config: Mapping[str, Any]) -> Factors:
    """Read the factors from a merged config."""
    network = dict(config["network_def"])
    shape = ("_target_", "spatial_dims", "in_channels", "out_channels")
    variant = ", ".join(f"{key}={value}" for key, value in network.items() if key not in shape)
    loss = _class_name(config["reconstruction_loss"])
    damage = config.get("corruption")
    left_out = {*PLACES, *FREE, *TUNED_TO_LOSS}
    rest = {key: value for key, value in training_config(config).items() if key not in left_out}
    return Factors(
        network=_class_name(network),
        variant=variant,
        loss=LOSSES.get(loss, loss),
        l2=any(_class_name(term) == "KernelL2" for term in config.get("regularisers") or []),
        damage=content_hash(damage) if damage else "none",
        design=content_hash(rest),
    )


def _class_name(component: Mapping[str, Any]) -> str:
    return str(component["_target_"]).rpartition(".")[2]
