# SPDX-License-Identifier: Apache-2.0
"""Processes that are killed at any moment, and started again."""

from __future__ import annotations

import csv
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch

from ...recipes.recipe import Recipe
from ...recipes.workflow import recipe_workflow
from .children import Ended, run_child
from .restoring import Restoring, slowly
from .seeds import small_head

__all__ = ["Kills", "kill_restoring", "kill_training"]

VOLUMES = 30
EPOCHS = 6
SECONDS = 300.0
NETWORK = {"_target_": "scripts.networks.ResidualUNet", "spatial_dims": 2, "residual_output": True}
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)
"""Two of three cannot be heeded."""


@dataclass
class Kills:
    """What was found after processes were killed.

    Attributes:
        kills: number of processes that were.
        runs: number of whole runs, from nothing to the end, over which they are spread.
        kept: results that a later process found done.
        failures: what was wrong.
    """

    kills: int = 0
    runs: int = 0
    kept: int = 0
    failures: list[str] = field(default_factory=list)

    def check(self, true: bool, what: str) -> None:
        """Note what is wrong."""
        if not true:
            self.failures.append(f"after kill {self.kills}: {what}")


def _until_done(
    start: Callable[[], Callable[[], object]],
    look: Callable[[Kills], object],
    done: Callable[[], bool],
    count: int,
    longest: float,
    rng: np.random.Generator,
    log: Path,
    found: Kills,
) -> None:
    """Kill and start again until nothing is left to do; then the run is whole."""
    while True:
        last = found.kills >= count
        moment = None if last else float(rng.uniform(0, longest))
        number = SIGNALS[int(rng.integers(len(SIGNALS)))]
        ended: Ended = run_child(start(), log, seconds=SECONDS, kill_after=moment, number=number)
        killed = ended.status != 0
        found.kills += killed and not last
        found.check(ended.in_time, f"no end within {SECONDS:.0f} s")
        found.check(not killed or not last, f"exit status {ended.status}")
        look(found)
        if not killed or last:
            break
    found.check(done(), "not all is there at the end")
    found.runs += 1


def kill_restoring(count: int, folder: Path, seed: int) -> Kills:
    """Kill inference, each time going on with ``skip_existing``.

    Args:
        count: number of kills.
        folder: folder of temporary files.
        seed: seed of the moments.
    """
    rng, found = np.random.default_rng(seed), Kills()
    inputs = folder / "in"
    inputs.mkdir(parents=True)
    for number in range(VOLUMES):
        nib.save(nib.Nifti1Image(small_head(number), np.diag([2.0, 2.0, 2.0, 1.0])), inputs / f"{number:02d}.nii")
    while found.kills < count:
        output = folder / f"out-{found.runs}"
        restoring = Restoring(inputs, output, skip_existing=True, inferer=slowly(0.03))

        def look(found: Kills, output: Path = output, restoring: Restoring = restoring) -> None:
            results = sorted(output.glob("[!.]*_restored.nii.gz"))
            for result in results:
                image: Any = nib.load(result)
                same = np.array_equal(image.get_fdata(), small_head(int(result.name[:2])))
                found.check(same, f"{result.name} is not the whole head")
            said = restoring.report().get("restored", [])
            found.check(all((output / entry["output"]).is_file() for entry in said), "a result is told of, not there")
            found.check(len(results) - 1 <= len(said) <= len(results), f"{len(said)} told of, {len(results)} there")
            found.kept += len(results)

        def done(output: Path = output, restoring: Restoring = restoring) -> bool:
            names = {path.name for path in output.iterdir()}
            wanted = {f"{n:02d}_restored{end}" for n in range(VOLUMES) for end in (".json", ".nii.gz")}
            return names == wanted | {"report.json"} and len(restoring.report()["restored"]) == VOLUMES

        _until_done(lambda made=restoring: made, look, done, count, 1.5, rng, folder / "log", found)  # type: ignore[misc]
    return found


def _training(dataset_dir: Path, output_dir: Path) -> Callable[[], object]:
    """A training that goes on where there is a checkpoint."""
    resume = (output_dir / "checkpoint.pt").is_file()
    settings: dict[str, Any] = {
        "max_epochs": EPOCHS, "batch_size": 4, "device": "cpu", "amp": False, "network_def": NETWORK,
        "resume": resume, "overwrite": not resume,
    }  # fmt: skip
    recipe = Recipe("reliability", ("configs/train.yaml",))
    return lambda: recipe_workflow(recipe, "training", settings, str(dataset_dir), str(output_dir)).run()


def kill_training(count: int, dataset_dir: Path, folder: Path, seed: int) -> Kills:
    """Kill training, each time going on with ``resume``; compare with one that was left alone, bit for bit.

    Args:
        count: number of kills.
        dataset_dir: folder of a small cohort.
        folder: folder of temporary files.
        seed: seed of the moments.
    """
    rng, found = np.random.default_rng(seed), Kills()
    folder.mkdir(parents=True)
    whole, parts = folder / "whole", folder / "parts"
    alone = run_child(_training(dataset_dir, whole), folder / "log", seconds=SECONDS)
    found.check(alone.status == 0, f"exit status {alone.status} of the training that was left alone")

    def look(found: Kills) -> None:
        for name in ("model.pt", "checkpoint.pt"):
            if (parts / name).is_file():
                try:
                    torch.load(parts / name, weights_only=True)
                except Exception as error:
                    found.check(False, f"{name} is damaged: {error}")

    def done() -> bool:
        partial = list(parts.glob(".partial*"))
        return not partial and _same_weights(whole, parts) and _losses(whole) == _losses(parts)

    while found.kills < count and not found.failures:
        shutil.rmtree(parts, ignore_errors=True)
        _until_done(
            lambda: _training(dataset_dir, parts), look, done, count, 1.2 * alone.seconds, rng, folder / "log", found
        )
    return found


def _same_weights(whole: Path, parts: Path) -> bool:
    one, other = (torch.load(run / "model.pt", weights_only=True) for run in (whole, parts))
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def _losses(run: Path) -> list[tuple[str, ...]]:
    with (run / "history.csv").open(encoding="utf-8") as file:
        return [(row["epoch"], row["train_loss"], row["val_loss"]) for row in csv.DictReader(file)]
