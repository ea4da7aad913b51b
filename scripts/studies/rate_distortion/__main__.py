# SPDX-License-Identifier: Apache-2.0
"""What a bottleneck costs: ``python -m scripts.studies.rate_distortion --dataset_dir DATA --output_dir OUT``.

``docs/studies/compression.md`` explains what is counted and how.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from ...evaluation.methods import choose
from ...files.atomic import replacing, write_csv
from ...networks import THESIS_NETWORKS
from ...recipes.places import CONFIGS, ROOT
from ...recipes.recipe import Recipe, find_recipes, merged_config
from ..benchmark.cells import Cell, CellMaker, Step
from ..benchmark.record import done_cells
from ..benchmark.running import run_on_this_machine
from ..command_line import run_command, say, switch, whole_numbers
from .figure import rate_distortion_figure
from .measure import summarise_rates

__all__ = ["rate_distortion"]

COMPRESSIONS = (2, 4, 8, 16, 32, 64, 128, 256)
LATENT = ("ae_dense", "vae", "beta_vae")
COMPLETE = ("configs/train.yaml", "configs/evaluate.yaml")
CODING = Path(__file__).with_name("coding.yaml").relative_to(ROOT).as_posix()
DATA = "configs/data/unit_range.yaml"
"""Slices in [0, 1]: the networks of the thesis end in a sigmoid, and what they cannot reach is not asked of anyone."""
CLASSICAL = ("pca", "block_pca", "jpeg2000")


def rate_distortion(
    dataset_dir: str = "",
    output_dir: str = "eval/rate_distortion",
    compressions: int | Sequence[int] = COMPRESSIONS,
    networks: str | Sequence[str] = tuple(THESIS_NETWORKS),
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
    rate_distortion.csv (a row per subject and rate), rate_distortion_summary.csv and rate_distortion.png into
    OUTPUT_DIR.

    Args:
        dataset_dir: folder of dataset.json (python -m scripts prepare); the demo cohort if empty.
        output_dir: folder of everything that this command makes.
        compressions: pixels per latent value, such as 4,16,64.
        networks: files of configs/net that are compared as points, none: [].
        recipes: files of configs/recipe with a code of few numbers, compared as points, none: [].
        seeds: seeds of the trainings, such as 0,1,2.
        max_epochs: epochs of every training; by default that of configs/train.yaml, or of the recipe.
        jobs: trainings at a time; by default the number of CPU cores divided by THREADS, on a GPU 4.
        threads: CPU threads of each.
        device: such as cuda:1 or cpu; by default a GPU where there is one.
        keep_old_code: keep what other code made, if config and data are the same.
        **overrides: any other top-level value of the configs: --batch_size 64, --code_bits [8], ...
    """
    output, keep_old_code = Path(str(output_dir)).absolute(), switch("keep_old_code", keep_old_code)
    settings = overrides | {k: v for k, v in (("max_epochs", max_epochs), ("device", device)) if v is not None}
    folder = str(Path(str(dataset_dir)).absolute()) if str(dataset_dir) else ""
    rates = whole_numbers("compressions", compressions, 2)
    names = choose(networks, {path.stem: path for path in (CONFIGS / "net").glob("*.yaml")}, "network")
    trained = [_clean(f"compressive_autoencoder_{rate}", "compressive_autoencoder", 1 / rate) for rate in rates]
    trained += [_clean(name, name) for name in names]
    trained += [_as_files(recipe) for recipe in (find_recipes(recipes) if recipes else [])]
    make = CellMaker(folder, output, settings)
    cells = [_classical(make, [1 / rate for rate in rates])]
    cells += [_trained(make, recipe, seed) for seed in whole_numbers("seeds", seeds, 0) for recipe in trained]
    failures = run_on_this_machine(cells, jobs, threads, device, keep_old_code)
    if done := done_cells(cells, keep_old_code):
        _write(done, output)
    for name, reason in failures.items():
        say(f"\n{name} failed: {reason}")
    if failures:
        raise ValueError(f"{len(failures)} of {len(cells)} failed; the same command tries them again.")


def _clean(name: str, network: str, compression: float | None = None) -> Recipe:
    """A network trained on undamaged slices."""
    fragments = (DATA, f"configs/net/{network}.yaml", "configs/corruption/none.yaml")
    settings = {} if compression is None else {"network_def#compression": compression}
    return Recipe(name, (*COMPLETE, *fragments), {"recipe": name, **settings})


def _as_files(recipe: Recipe) -> Recipe:
    """A recipe as the files and settings that it names, into which more can be put."""
    if recipe.files[: len(COMPLETE)] != COMPLETE:
        raise ValueError(
            f"recipe {recipe.name} cannot be coded: its config_file must begin with {' and '.join(COMPLETE)}, as those "
            f"of T1 slices do, such as {', '.join(LATENT)}."
        )
    return replace(recipe, args_file=None, settings={"recipe": recipe.name, **recipe.settings})


def _trained(make: CellMaker, recipe: Recipe, seed: int) -> Cell:
    known = merged_config(recipe)  # what only the measurement knows is no key of the training
    training = {key: value for key, value in make.overrides.items() if key.split("#")[0] in known}
    return make.trained(recipe, seed, _coding(make, recipe, {"seed": seed}, recipe.name, f"seed_{seed}"), training)


def _classical(make: CellMaker, compressions: Sequence[float]) -> Cell:
    recipe = _clean("classical", "residual_unet")  # the network is not used
    coding = _coding(make, recipe, {"codecs": list(CLASSICAL), "compressions": list(compressions)}, "classical")
    return Cell("classical", None, recipe.data, coding.result.parent, {"max_epochs": 0}, 0, (coding,))


def _coding(make: CellMaker, recipe: Recipe, values: Mapping[str, Any], *folder: str) -> Step:
    recipe = replace(recipe, files=(*COMPLETE, CODING, *recipe.files[len(COMPLETE) :]))
    values = {**make.overrides, **values}
    return make.step(recipe, make.folder(*folder) / "coding.csv", "coding", values, merged_config(recipe, values))


def _write(done: Sequence[Cell], output: Path) -> None:
    tables = [pd.read_csv(c.steps[-1].result).assign(seed=-1 if c.seed is None else c.seed) for c in done]
    table = pd.concat(tables, ignore_index=True)
    summary = summarise_rates(table)
    write_csv(output / "rate_distortion.csv", table, float_format="%.6g")
    write_csv(output / "rate_distortion_summary.csv", summary, float_format="%.6g")
    with replacing(output / "rate_distortion.png") as partial:
        rate_distortion_figure(summary).savefig(partial, dpi=130)
    say(f"wrote {output / 'rate_distortion_summary.csv'} and rate_distortion.png")


if __name__ == "__main__":
    run_command(rate_distortion, "python -m scripts.studies.rate_distortion")
