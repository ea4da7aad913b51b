# SPDX-License-Identifier: Apache-2.0
"""Learn and test through-plane thresholds: ``python -m scripts.tissue learn|check --dataset_dir DATA``."""

from __future__ import annotations

import logging
import math
import sys
from pathlib import Path

import fire
import numpy as np
import pandas as pd
from tqdm import tqdm

from ..data.cohort import load_datalist
from ..files.atomic import replacing
from ..files.errors import clean_exit
from ..latent.figures import mask_grid
from ..latent.space import TissueRecipe
from ..studies.through_plane import (
    JUMPS,
    Corrected,
    Trial,
    correct_trial,
    detection_row,
    false_alarms,
    profile_figure,
    summary_of,
    trials,
)
from ..tissue.slices import SPACING_MM, TissueSlices, load_tissue_slices
from ..tissue.through_plane.thresholds import FALSE_ALARM_PERCENT, ConsistencyThresholds

__all__ = ["check", "learn"]

FRAME_MM = (224.0, 192.0)


@clean_exit()
def learn(
    path: str = "eval/consistency.json",
    dataset_dir: str = "",
    spacing_mm: float = SPACING_MM[0],
    false_alarm_percent: float = FALSE_ALARM_PERCENT,
) -> None:
    """Learn from the region labels of the training heads how much neighbouring slices differ.

    Args:
        path: JSON file to write.
        dataset_dir: folder of dataset.json (python -m scripts.commands.prepare), with labels.
        spacing_mm: of pixels and slices.
        false_alarm_percent: share of healthy slices that are flagged.
    """
    slices = _slices(dataset_dir, "training", spacing_mm)
    thresholds = ConsistencyThresholds.learn(slices, spacing_mm, false_alarm_percent=false_alarm_percent)
    thresholds.save(path)
    _say(f"wrote {path}: thresholds from {len(slices)} slices of {len(slices.volumes())} heads")


@clean_exit()
def check(
    path: str = "eval/consistency.json",
    dataset_dir: str = "",
    output_dir: str = "eval/consistency",
    part: str = "test",
    recipe: str = "",
    weights: str | None = None,
    per_head: int = 4,
    seed: int = 0,
) -> None:
    """Say how many healthy slices are flagged, and how many of the slices that were replaced on purpose are found.

    Writes consistency.csv (a row for each replaced slice) and summary.csv (for each kind of jump). With a recipe the
    slices are also corrected, by replacing those that are found and as published, and profiles.png and slices.png show
    an example before and after.

    Args:
        path: JSON file that "learn" wrote.
        dataset_dir: folder of dataset.json (python -m scripts.commands.prepare), with labels.
        output_dir: folder of the results.
        part: "validation" or "test".
        recipe: of tissue masks, such as ar_vae, to correct with; its slices are used. Without, slices are only looked
            for, in whole heads.
        weights: model.pt of a training of the recipe; by default that in eval/<recipe>, or else the shipped one.
        per_head: slices of each head that are replaced, one at a time.
        seed: of their choice.
    """
    if not isinstance(per_head, int) or isinstance(per_head, bool) or per_head < 1:
        raise ValueError(f"--per_head must be a whole number of at least 1, got {per_head!r}.")
    if weights and not recipe:
        raise ValueError("--weights go with --recipe: name the recipe that they were trained with.")
    thresholds = ConsistencyThresholds.load(path)
    corrector = _Corrector(recipe, weights, thresholds) if recipe else None
    slices, donors = (
        corrector.slices(dataset_dir, name) if corrector else _slices(dataset_dir, name, thresholds.spacing_mm[2])
        for name in (part, "training")
    )
    alarms = false_alarms(slices, thresholds)
    rows, example = [], None
    count = per_head * len(slices.volumes()) * len(JUMPS)
    for trial in tqdm(trials(slices, donors, thresholds, per_head, seed), "replacing", count, unit="slice"):
        row = detection_row(trial)
        if corrector:
            corrected = corrector(trial)
            row |= corrected.row
            example = example or ((trial, corrected) if row["found"] else None)
        rows.append(row)
    folder = Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    summary = summary_of(rows)
    for name, table in {"consistency.csv": pd.DataFrame(rows).round(4), "summary.csv": summary}.items():
        with replacing(folder / name) as partial:
            table.to_csv(partial, index=False)
    if example:
        _draw(*example, thresholds, folder)
    _say(f"{part}: {alarms.slices} healthy slices of {len(slices.volumes())} heads")
    _say(f"  flagged {100 * alarms.flagged:.2f} %, found to be wrong {100 * alarms.found:.2f} %")
    _say(f"{summary.to_string(index=False)}\nwrote {folder / 'summary.csv'}")


class _Corrector:
    """Corrects trials with the network of a recipe."""

    def __init__(self, recipe: str, weights: str | None, thresholds: ConsistencyThresholds) -> None:
        self.recipe, self.thresholds = TissueRecipe(recipe, weights), thresholds
        self.dims = range(self.recipe.model.network.latent_size)

    def slices(self, dataset_dir: str, part: str) -> TissueSlices:
        """Those of a part, on the grid of the recipe."""
        masks = self.recipe.dataset(load_datalist(dataset_dir, part))
        if self.recipe.regularised:
            self.dims = range(len(masks.names))
        if masks.tissue.spacing_mm != self.thresholds.spacing_mm[:2]:
            raise ValueError(
                f"the thresholds are for pixels of {self.thresholds.spacing_mm[0]:g} mm, those of recipe "
                f"{self.recipe.name} have {masks.tissue.spacing_mm[0]:g} mm: learn them with --spacing_mm "
                f"{masks.tissue.spacing_mm[0]:g}."
            )
        return masks.tissue

    def __call__(self, trial: Trial) -> Corrected:
        return correct_trial(trial, self.recipe.model, self.thresholds, self.dims)


def _draw(trial: Trial, corrected: Corrected, thresholds: ConsistencyThresholds, folder: Path) -> None:
    """Attributes along the head, and the slice with its neighbours."""
    place = trial.place
    masks, level = place.slices.classes[place.rows], place.slices.level[place.rows]
    profiles = {
        "labels": thresholds.profile(masks, level),
        "with a wrong slice": trial.profile,
        "corrected": corrected.profile,
    }
    below, right, above = masks[place.position - 1 : place.position + 2]
    row = np.stack([below, right, above, trial.mask, corrected.mask])
    figures = {
        "profiles.png": profile_figure(level, profiles, thresholds.names, place.position),
        "slices.png": mask_grid([row], column_titles=["below", "labels", "above", "replaced", "corrected"], size=1.4),
    }
    for name, figure in figures.items():
        with replacing(folder / name) as partial:
            figure.savefig(partial, dpi=130)


def _slices(dataset_dir: str, part: str, spacing_mm: float) -> TissueSlices:
    size = [math.ceil(extent / spacing_mm) for extent in FRAME_MM]
    return load_tissue_slices(load_datalist(dataset_dir, part), spacing_mm=(spacing_mm,) * 3, size=size, centre="brain")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    logging.getLogger("monai").setLevel(logging.ERROR)
    fire.Fire({"learn": learn, "check": check})
