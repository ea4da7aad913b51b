# SPDX-License-Identifier: Apache-2.0
"""What a bottleneck costs: ``python -m scripts.studies.rate_distortion --dataset_dir DATA --output_dir OUT``.

``docs/compression.md`` explains what is counted and how.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from ...data.cohort import load_cohort
from ...evaluation.methods import choose
from ...files.atomic import replacing
from ...files.errors import clean_exit
from ...recipes.provenance import split_hash
from ...recipes.recipe import ROOT, Recipe, find_recipes, merged_config
from ..benchmark.cells import Cell, Step
from ..benchmark.fingerprint import fingerprint, training_config
from ..benchmark.record import CellRecord
from ..benchmark.running import run_on_this_machine
from ..command_line import run_command, whole_numbers
from .figure import rate_distortion_figure, rate_table
from .measure import summarise_rates

__all__ = ["rate_distortion"]

COMPRESSIONS = (2, 4, 8, 16, 32, 64, 128, 256)
THESIS = ("residual_unet", "shallow_residual_original", "shallow_residual_preactivation", "skip_cae", "myronenko_cae")
LATENT = ("ae_dense", "vae", "beta_vae")
COMPLETE = ("configs/train.yaml", "configs/evaluate.yaml")
DATA = "configs/data/unit_range.yaml"
"""Slices in [0, 1]: the networks of the thesis end in a sigmoid, and what they cannot reach is not asked of anyone."""
CLASSICAL = ("pca", "block_pca", "jpeg2000")
RESULT = "coding.csv"


@clean_exit()
def rate_distortion(
    dataset_dir: str = "",
    output_dir: str = "eval/rate_distortion",
    compressions: int | Sequence[int] = COMPRESSIONS,
    networks: str | Sequence[str] = THESIS,
    recipes: str | Sequence[str] = LATENT,
    seeds: int | Sequence[int] = 0,
    max_epochs: int | None = None,
    jobs: int | None = None,
    threads: int = 1,
    device: str | None = None,
    keep_old_code: bool = False,
    **overrides: Any,
) -> None:
    """Train the compressive autoencoder at several rates and compare it with classical codecs, on undamaged slices.

    All networks are trained alike, on slices clipped to [0, 1], the range of the thesis's networks; recipes keep their
    own loss, learning rate and frame. What is done is kept: the same command goes on where it stopped. Writes
    rate_distortion.csv (a row per subject and rate), rate_distortion_summary.csv, rate_distortion.md and
    rate_distortion.png into OUTPUT_DIR.

    Args:
        dataset_dir: folder of dataset.json (python -m scripts prepare); the demo cohort if empty.
        output_dir: folder of everything that this command makes.
        compressions: pixels per latent value, such as 4,16,64.
        networks: files of configs/net that are compared as points, none: [].
        recipes: files of configs/recipe with a code of few numbers, compared as points, none: [].
        seeds: of the trainings, such as 0,1,2.
        max_epochs: of every training; by default that of configs/train.yaml, or of the recipe.
        jobs: trainings at a time; by default the number of CPU cores divided by THREADS, on a GPU 4.
        threads: CPU threads of each.
        device: such as cuda:1 or cpu; by default a GPU where there is one.
        keep_old_code: keep what other code made, if config and data are the same.
        **overrides: any other top-level value of the configs: --batch_size 64, --code_bits [8], ...
    """
    output = Path(str(output_dir)).absolute()
    settings = overrides | {k: v for k, v in (("max_epochs", max_epochs), ("device", device)) if v is not None}
    folder = str(Path(str(dataset_dir)).absolute()) if str(dataset_dir) else ""
    maker = _CellMaker(folder, output, settings)
    rates = whole_numbers("compressions", compressions, 2)
    names = list(choose(networks, {path.stem: path for path in (ROOT / "configs/net").glob("*.yaml")}, "network"))
    coded = [_as_files(recipe) for recipe in find_recipes(recipes)] if recipes else []
    cells = [maker.classical([1 / rate for rate in rates])]
    for seed in whole_numbers("seeds", seeds, 0):
        cells += [maker.network(_compressive(rate), seed) for rate in rates]
        cells += [maker.network(_clean(name, name), seed) for name in names]
        cells += [maker.network(recipe, seed) for recipe in coded]
    failures = run_on_this_machine(cells, jobs, threads, device, keep_old_code)
    records = {cell.name: CellRecord(cell, keep_old_code) for cell in cells}
    done = [cell for cell in cells if all(records[cell.name].is_done(step) for step in cell.steps)]
    if done:
        _write(done, output)
    for name, reason in failures.items():
        _say(f"\n{name} failed: {reason}")
    if failures:
        raise ValueError(f"{len(failures)} of {len(cells)} failed; the same command tries them again.")


def _compressive(rate: int) -> Recipe:
    name = f"compressive_autoencoder_{rate}"
    return _clean(name, "compressive_autoencoder", {"network_def#compression": 1 / rate})


def _clean(name: str, network: str, settings: Mapping[str, Any] | None = None) -> Recipe:
    """A network trained on undamaged slices."""
    fragments = (DATA, f"configs/net/{network}.yaml", "configs/corruption/none.yaml")
    return Recipe(name, (*COMPLETE, *fragments), {"recipe": name, **(settings or {})})


def _as_files(recipe: Recipe) -> Recipe:
    """A recipe as the files and settings that it names, into which more can be put."""
    if recipe.files[: len(COMPLETE)] != COMPLETE:
        raise ValueError(
            f"recipe {recipe.name} cannot be coded: its config_file must begin with {' and '.join(COMPLETE)}, as those "
            f"of T1 slices do, such as {', '.join(LATENT)}."
        )
    return replace(recipe, args_file=None, settings={"recipe": recipe.name, **recipe.settings})


def _with_coding(recipe: Recipe) -> Recipe:
    return replace(recipe, files=(*COMPLETE, "configs/coding.yaml", *recipe.files[len(COMPLETE) :]))


class _CellMaker:
    def __init__(self, dataset_dir: str, output_dir: Path, overrides: Mapping[str, Any]) -> None:
        self.split = split_hash(load_cohort(dataset_dir))
        self.dataset_dir = dataset_dir
        self.output_dir = output_dir
        # what only the measurement knows is no key of the training
        known = merged_config(_clean("", THESIS[0]))
        self.overrides = dict(overrides)
        self.training_overrides = {key: value for key, value in overrides.items() if key.split("#")[0] in known}

    def network(self, recipe: Recipe, seed: int) -> Cell:
        folder = self.output_dir / "cells" / recipe.name / f"seed_{seed}"
        config = merged_config(recipe, {**self.training_overrides, "seed": seed})
        training = Step(
            "training",
            self._arguments(recipe, folder, {**self.training_overrides, "seed": seed}),
            fingerprint(training_config(config), self.split),
            folder / "model.pt",
        )
        epochs = int(merged_config(recipe)["max_epochs"])
        coding = self._coding(recipe, folder, {"seed": seed})
        return Cell(recipe.name, seed, recipe.data, folder, config, epochs, (training, coding))

    def classical(self, compressions: Sequence[float]) -> Cell:
        folder = self.output_dir / "cells" / "classical"
        recipe = _clean("classical", THESIS[0])
        coding = self._coding(recipe, folder, {"codecs": list(CLASSICAL), "compressions": list(compressions)})
        return Cell("classical", None, recipe.data, folder, {"max_epochs": 0}, 0, (coding,))

    def _coding(self, recipe: Recipe, folder: Path, values: Mapping[str, Any]) -> Step:
        recipe = _with_coding(recipe)
        config = merged_config(recipe, {**self.overrides, **values})
        arguments = self._arguments(recipe, folder, {**self.overrides, **values})
        return Step("coding", arguments, fingerprint(config, self.split), folder / RESULT)

    def _arguments(self, recipe: Recipe, folder: Path, values: Mapping[str, Any]) -> dict[str, Any]:
        places = {"dataset_dir": self.dataset_dir, "output_dir": str(folder)}
        return {**recipe.arguments(), **values, **places}


def _write(done: Sequence[Cell], output: Path) -> None:
    tables = [pd.read_csv(cell.folder / RESULT).assign(seed=-1 if cell.seed is None else cell.seed) for cell in done]
    table = pd.concat(tables, ignore_index=True)
    summary = summarise_rates(table)
    for name, content in (("rate_distortion", table), ("rate_distortion_summary", summary)):
        with replacing(output / f"{name}.csv") as partial:
            content.to_csv(partial, index=False, float_format="%.6g")
    with replacing(output / "rate_distortion.png") as partial:
        rate_distortion_figure(summary).savefig(partial, dpi=130)
    with replacing(output / "rate_distortion.md") as partial:
        partial.write_text(rate_table(summary), encoding="utf-8")
    _say(f"wrote {output / 'rate_distortion_summary.csv'}, rate_distortion.md and rate_distortion.png")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    logging.getLogger("monai").setLevel(logging.ERROR)
    run_command(rate_distortion, "python -m scripts.studies.rate_distortion")
