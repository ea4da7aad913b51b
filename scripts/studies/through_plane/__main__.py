# SPDX-License-Identifier: Apache-2.0
"""How many wrong slices are found, and how many right ones are flagged: ``python -m scripts.studies.through_plane``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tqdm import tqdm

from ...data.cohort import load_datalist
from ...files.atomic import replacing, write_csv
from ...latent.figures import mask_grid
from ...latent.space import TissueRecipe
from ...tissue import UNITS
from ...tissue.slices import TissueSlices, whole_brain_slices
from ...tissue.through_plane.thresholds import ConsistencyThresholds
from ..command_line import run_command, say, whole_numbers
from .jumps import JUMPS
from .trials import Corrected, Trial, correct_trial, false_alarms, trials

__all__ = ["check"]

COLOURS = ("#7f7f7f", "#d55e00", "#0072b2")
COLUMNS = 4


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
        dataset_dir: folder of dataset.json (python -m scripts prepare), with labels.
        output_dir: folder of the results.
        part: "validation" or "test".
        recipe: recipe of tissue masks, such as ar_vae, to correct with; its slices are used. Without, slices are only
            looked for, in whole heads.
        weights: model.pt of a training of the recipe; by default that in eval/<recipe>, or else the shipped one.
        per_head: slices of each head that are replaced, one at a time.
        seed: seed of their choice.
    """
    whole_numbers("per_head", per_head, 1)
    if weights and not recipe:
        raise ValueError("--weights go with --recipe: name the recipe that they were trained with.")
    thresholds = ConsistencyThresholds.load(path)
    trained = TissueRecipe(recipe, weights) if recipe else None
    if trained:
        slices, donors = (_slices(trained, thresholds, dataset_dir, name) for name in (part, "training"))
        names = trained.config["train"]["dataset"]["attributes"]
        dims = range(len(names) if trained.regularised else trained.model.network.latent_size)
    else:
        spacing = thresholds.spacing_mm[2]
        slices, donors = (whole_brain_slices(dataset_dir, name, spacing) for name in (part, "training"))
    alarms = false_alarms(slices, thresholds)
    rows, example = [], None
    count = per_head * len(slices.volumes()) * len(JUMPS)
    for trial in tqdm(trials(slices, donors, thresholds, per_head, seed), "replacing", count, unit="slice"):
        row = trial.row()
        if trained:
            corrected = correct_trial(trial, trained.model, thresholds, dims)
            row |= corrected.row
            example = example or ((trial, corrected) if row["found"] else None)
        rows.append(row)
    folder, summary = Path(output_dir), _summary(rows)
    write_csv(folder / "consistency.csv", pd.DataFrame(rows).round(4))
    write_csv(folder / "summary.csv", summary)
    if example:
        _draw(*example, thresholds, folder)
    say(f"{part}: {alarms.slices} healthy slices of {len(slices.volumes())} heads")
    say(f"  flagged {100 * alarms.flagged:.2f} %, found to be wrong {100 * alarms.found:.2f} %")
    say(f"{summary.to_string(index=False)}\nwrote {folder / 'summary.csv'}")


def _slices(recipe: TissueRecipe, thresholds: ConsistencyThresholds, dataset_dir: str, part: str) -> TissueSlices:
    """Those of a part, on the grid of the recipe."""
    tissue = recipe.dataset(load_datalist(dataset_dir, part)).tissue
    if tissue.spacing_mm != thresholds.spacing_mm[:2]:
        raise ValueError(
            f"the thresholds are for pixels of {thresholds.spacing_mm[0]:g} mm, those of recipe {recipe.name} have "
            f"{tissue.spacing_mm[0]:g} mm: learn them with --spacing_mm {tissue.spacing_mm[0]:g}."
        )
    return tissue


def _summary(rows: Iterable[dict]) -> pd.DataFrame:
    """Mean of each number over the jumps of each kind, how many ``slices`` there were, and over ``all`` kinds."""
    table = pd.DataFrame(rows).drop(columns=["subject", "slice", "level"])
    table = pd.concat([table, table.assign(jump="all")]).rename(columns={"found": "sensitivity"})
    groups = table.groupby("jump", sort=False)
    means = groups.mean().round(4)
    means.insert(0, "slices", groups.size())
    return means.reset_index()


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
        "profiles.png": _profile_figure(level, profiles, thresholds.names, place.position),
        "slices.png": mask_grid([row], column_titles=["below", "labels", "above", "replaced", "corrected"], size=1.4),
    }
    for name, figure in figures.items():
        with replacing(folder / name) as partial:
            figure.savefig(partial, dpi=130)


def _profile_figure(
    level: NDArray[np.float64], profiles: Mapping[str, NDArray[np.float64]], names: Sequence[str], at: int
) -> Figure:
    """One panel for each attribute, one curve for each profile.

    Args:
        level: level of the slices, ``(T,)``.
        profiles: up to three, ``(T, L)``, by what they are called in the legend.
        names: names of the attributes.
        at: slice to mark.
    """
    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(2.6 * min(COLUMNS, len(names)), 2.1 * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, min(COLUMNS, len(names)), squeeze=False).ravel()
    for column, (axis, name) in enumerate(zip(axes, names, strict=False)):
        for (label, profile), colour in zip(profiles.items(), COLOURS, strict=False):
            axis.plot(level, profile[:, column], color=colour, linewidth=1.2, marker=".", markersize=3, label=label)
        axis.axvline(level[at], color="#000000", linewidth=0.5, linestyle=":")
        unit = UNITS[name]
        axis.set_title(name.replace("_", " ") + (f" ({unit})" if unit else ""), fontsize=8)
        axis.tick_params(labelsize=6)
        axis.set_xlabel("level", fontsize=7)
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(profiles), fontsize=8)
    return figure


if __name__ == "__main__":
    run_command(check, "python -m scripts.studies.through_plane")
