# SPDX-License-Identifier: Apache-2.0
"""What becomes of slices that were replaced on purpose: found or not, and how near the labels after the correction.

FOLDED: Slices that do not belong where they are: to measure how many of them are found.
FOLDED: How many wrong slices are found, and how many right ones are flagged.
FOLDED: Pictures of attributes along the slices of a head, drawn without a display.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import fire
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from monai.metrics import compute_dice
from numpy.typing import NDArray
from scipy import ndimage
from tqdm import tqdm

from ..data.cohort import load_datalist
from ..files.atomic import replacing
from ..files.errors import clean_exit
from ..latent.figures import mask_grid
from ..latent.model import MaskModel
from ..latent.space import TissueRecipe
from ..tissue import UNITS
from ..tissue.datasets import one_hot
from ..tissue.slices import TissueSlices, whole_brain_slices
from ..tissue.through_plane.correction import correct_sequence, correct_volume
from ..tissue.through_plane.thresholds import ConsistencyThresholds

__all__ = [
    "FAR_MM",
    "JUMPS",
    "Corrected",
    "FalseAlarms",
    "Jump",
    "Place",
    "Trial",
    "check",
    "correct_trial",
    "detection_row",
    "false_alarms",
    "profile_figure",
    "summary_of",
    "trials",
]


FAR_MM = 12.0
SHIFT_MM = 8.0
ZOOM = 0.1
EROSION_MM = 4.0
BITE_MM = 24.0


class Place(NamedTuple):
    """Where a jump is put.

    Attributes:
        slices: of heads that thresholds were not learned from.
        rows: of one of these heads, from its lowest slice to its highest.
        position: in ``rows``, of the slice that is replaced.
        donors: slices of other heads.
        slice_mm: distance of the slices.
    """

    slices: TissueSlices
    rows: NDArray[np.intp]
    position: int
    donors: TissueSlices
    slice_mm: float

    @property
    def row(self) -> int:
        """Of the slice that belongs there."""
        return int(self.rows[self.position])

    @property
    def mask(self) -> NDArray[np.uint8]:
        """The slice that belongs there, ``(H, W)``."""
        return self.slices.classes[self.row]


Jump = Callable[[Place, np.random.Generator], NDArray[np.uint8]]


def far_slice(place: Place, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A slice of the same head, 12 mm further up or down."""
    step = round(FAR_MM / place.slice_mm)
    choices = [p for p in (place.position - step, place.position + step) if 0 <= p < len(place.rows)]
    return place.slices.classes[place.rows[rng.choice(choices)]]


def other_head(place: Place, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The slice of another head that is nearest in level."""
    volumes = place.donors.volumes()
    rows = volumes[rng.integers(len(volumes))]
    return place.donors.classes[rows[np.abs(place.donors.level[rows] - place.slices.level[place.row]).argmin()]]


def shifted(place: Place, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The slice moved by 8 mm along its rows or its columns."""
    axis, sign = rng.integers(2), rng.choice((-1, 1))
    offset = [0, 0]
    offset[axis] = int(sign * round(SHIFT_MM / place.slices.spacing_mm[axis]))
    return ndimage.shift(place.mask, offset, order=0)


def shrunk(place: Place, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The slice made smaller by 10 %."""
    return _zoomed(place.mask, 1 - ZOOM)


def grown(place: Place, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The slice made larger by 10 %."""
    return _zoomed(place.mask, 1 + ZOOM)


def eroded(place: Place, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The slice without the outer 4 mm of the brain."""
    depth = ndimage.distance_transform_edt(place.mask > 0, sampling=place.slices.spacing_mm)
    return np.where(depth > EROSION_MM, place.mask, 0).astype(np.uint8)


def bitten(place: Place, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The slice without what lies within 24 mm of a random point of the brain."""
    inside = np.argwhere(place.mask > 0)
    offsets = np.indices(place.mask.shape).transpose(1, 2, 0) - inside[rng.integers(len(inside))]
    distance = np.linalg.norm(offsets * np.array(place.slices.spacing_mm), axis=2)
    return np.where(distance > BITE_MM, place.mask, 0).astype(np.uint8)


def _zoomed(mask: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Nearest-neighbour zoom about the centroid of the brain, on the same grid."""
    centre = np.array(ndimage.center_of_mass(mask > 0))
    return ndimage.affine_transform(mask, [1 / factor] * 2, centre - centre / factor, order=0)


JUMPS: dict[str, Jump] = {
    jump.__name__: jump for jump in (far_slice, other_head, shifted, shrunk, grown, eroded, bitten)
}


class FalseAlarms(NamedTuple):
    """What happens to healthy slices. The first and the last of each head, which cannot be judged, do not count.

    Attributes:
        slices: how many there are.
        flagged: share that is inconsistent with its neighbours.
        found: share that :meth:`ConsistencyThresholds.find` takes for wrong.
    """

    slices: int
    flagged: float
    found: float


class Trial(NamedTuple):
    """A healthy head with one slice replaced.

    Attributes:
        jump: name of the kind, of :data:`scripts.studies.through_plane.JUMPS`.
        place: where.
        mask: what is there now, ``(H, W)``.
        profile: attributes of the head with that slice, ``(T, L)``.
        found: slices that are taken for wrong, ``(T,)``.
    """

    jump: str
    place: Place
    mask: NDArray[np.uint8]
    profile: NDArray[np.float64]
    found: NDArray[np.bool_]


def false_alarms(slices: TissueSlices, thresholds: ConsistencyThresholds) -> FalseAlarms:
    """Judge healthy heads that the thresholds were not learned from."""
    profiles = thresholds.profile(slices.classes, slices.level)
    heads = [(profiles[rows], slices.level[rows]) for rows in slices.volumes()]
    flagged = np.concatenate([thresholds.scores(*head)[1:-1] > 1 for head in heads])
    found = np.concatenate([thresholds.find(*head)[1:-1] for head in heads])
    return FalseAlarms(len(flagged), float(flagged.mean()), float(found.mean()))


def trials(
    slices: TissueSlices, donors: TissueSlices, thresholds: ConsistencyThresholds, per_head: int = 4, seed: int = 0
) -> Iterator[Trial]:
    """Put jumps into healthy heads, one at a time, and look for them.

    Args:
        slices: of heads that the thresholds were not learned from.
        donors: slices of other heads, for :func:`scripts.studies.through_plane.other_head`.
        thresholds: see :class:`ConsistencyThresholds`.
        per_head: places in each head, the same for every kind of jump, never the first or the last slice.
        seed: of places and jumps.

    Yields:
        One trial for each kind and place.

    Raises:
        ValueError: a head has too few slices for so many places, or for a slice of its own that is far away.
    """
    rng = np.random.default_rng(seed)
    slice_mm = thresholds.spacing_mm[2]
    least = min(len(rows) for rows in slices.volumes())
    if least - 2 < per_head:
        raise ValueError(
            f"per_head must be at most {least - 2}, the judged slices of the smallest head, got {per_head}."
        )
    if least <= 2 * round(FAR_MM / slice_mm):
        raise ValueError(f"a head has {least} slices of {slice_mm:g} mm: some would have none {FAR_MM:g} mm away.")
    places = [
        Place(slices, rows, int(position), donors, slice_mm)
        for rows in slices.volumes()
        for position in rng.choice(np.arange(1, len(rows) - 1), per_head, replace=False)
    ]
    healthy = thresholds.profile(slices.classes, slices.level)
    levels = slices.level[[place.row for place in places]]
    for name, jump in JUMPS.items():
        masks = np.stack([jump(place, rng) for place in places])
        for place, mask, values in zip(places, masks, thresholds.profile(masks, levels), strict=True):
            profile = healthy[place.rows].copy()
            profile[place.position] = values
            yield Trial(name, place, mask, profile, thresholds.find(profile, slices.level[place.rows]))


class Corrected(NamedTuple):
    """A corrected trial.

    Attributes:
        row: numbers, see :func:`correct_trial`.
        profile: of the corrected head, ``(T, L)``.
        mask: what is in the place of the jump now, ``(H, W)``.
    """

    row: dict[str, float]
    profile: NDArray[np.float64]
    mask: NDArray[np.uint8]


def detection_row(trial: Trial) -> dict[str, str | int | float]:
    """Kind and place of a jump, whether it was ``found`` (0 or 1), and how many ``others`` of the head beside it."""
    place, found = trial.place, int(trial.found[trial.place.position])
    return {
        "jump": trial.jump,
        "subject": str(place.slices.subject[place.row]),
        "slice": int(place.slices.index[place.row]),
        "level": round(float(place.slices.level[place.row]), 4),
        "found": found,
        "others": int(trial.found.sum()) - found,
    }


def correct_trial(
    trial: Trial, model: MaskModel, thresholds: ConsistencyThresholds, dims: Collection[int]
) -> Corrected:
    """Correct a head with a jump, by :func:`scripts.tissue.correct_volume` and as published.

    Args:
        trial: a head with a jump.
        model: of masks on the same grid.
        thresholds: by which the jump was looked for.
        dims: latent dimensions that stand for attributes.

    Returns:
        ``consistent``: whether the corrected profile is within the thresholds, 0 or 1; ``dice_before``, ``dice_after``:
        agreement of the replaced slice with the labels (mean over the tissues that are there); ``consistent_smoothed``,
        ``dice_smoothed``: the same for the published way, in which all slices are smoothed and decoded.
    """
    place = trial.place
    level = place.slices.level[place.rows]
    masks = place.slices.classes[place.rows].copy()
    masks[place.position] = trial.mask
    result = correct_volume(masks, model.encode, model.probabilities, thresholds, level)

    def consistent(codes: NDArray[np.float64]) -> bool:
        return thresholds.consistent(thresholds.profile(model.decode(codes), level), level)

    smoothed = correct_sequence(model.encode(masks), dims, consistent)
    row: dict[str, float] = {
        "consistent": int(result.consistent),
        "consistent_smoothed": int(consistent(smoothed)),
        "dice_before": _dice(trial.mask, place.mask),
        "dice_after": _dice(result.classes[place.position], place.mask),
        "dice_smoothed": _dice(model.decode(smoothed[[place.position]])[0], place.mask),
    }
    return Corrected(row, thresholds.profile(result.classes, level), result.classes[place.position])


def summary_of(rows: Iterable[dict]) -> pd.DataFrame:
    """Mean of each number over the jumps of each kind, how many ``slices`` there were, and over ``all`` kinds."""
    table = pd.DataFrame(rows).drop(columns=["subject", "slice", "level"])
    table = pd.concat([table, table.assign(jump="all")]).rename(columns={"found": "sensitivity"})
    groups = table.groupby("jump", sort=False)
    means = groups.mean().round(4)
    means.insert(0, "slices", groups.size())
    return means.reset_index()


def _dice(mask: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    """Mean over the tissues of the true slice."""
    given, wanted = (one_hot(torch.from_numpy(np.ascontiguousarray(image))[None]) for image in (mask, truth))
    return float(compute_dice(given, wanted, include_background=False).nanmean())


COLOURS = ("#7f7f7f", "#d55e00", "#0072b2")
COLUMNS = 4


def profile_figure(
    level: NDArray[np.float64], profiles: Mapping[str, NDArray[np.float64]], names: Sequence[str], at: int
) -> Figure:
    """One panel for each attribute, one curve for each profile.

    Args:
        level: of the slices, ``(T,)``.
        profiles: up to three, ``(T, L)``, by what they are called in the legend.
        names: of the attributes.
        at: a slice to mark.
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
        dataset_dir: folder of dataset.json (python -m scripts prepare), with labels.
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
        corrector.slices(dataset_dir, name)
        if corrector
        else whole_brain_slices(dataset_dir, name, thresholds.spacing_mm[2])
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


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    logging.getLogger("monai").setLevel(logging.ERROR)
    fire.Fire(check)
