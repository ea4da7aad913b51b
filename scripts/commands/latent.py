# SPDX-License-Identifier: Apache-2.0
"""Use the latent space of a trained autoencoder: ``python -m scripts latent evaluate --recipe ar_vae``.

The other commands are ``traverse``, ``interpolate``, ``sample`` and ``compare``. Recipes of tissue masks need the
region labels of the cohort.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import fire
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from tqdm import tqdm

from ..files.atomic import replacing
from ..files.errors import clean_exit
from ..latent.comparison import comparison_markdown, comparison_table
from ..latent.evaluation import (
    ATTRIBUTE,
    attribute_table_of,
    conditional_table,
    dice_table,
    dimension_table,
    draw_samples,
    interval_table,
    measure_table,
    neuron_table,
    psnr_table,
    sample_table,
    smallest_area_table,
)
from ..latent.figures import code_figure, conditional_figure
from ..latent.measures import spearman_matrix
from ..latent.paths import interpolation, traversal
from ..latent.report import Results, corrected_figure, mask_sections, slice_sections, validity_sections
from ..latent.sampling import AttributeScale, sample_with_attribute
from ..latent.space import LatentSpace, SliceSpace, TissueSpace, open_space, open_tissue_space
from ..latent.validity import Validity

__all__ = ["compare", "evaluate", "interpolate", "sample", "traverse"]

SOURCES = ("parzen", "prior", "rejection")
SHOWN = 12
"""Samples in a row of the pictures."""
STEPS = 9


@clean_exit()
def evaluate(
    recipe: str = "ar_vae",
    dataset_dir: str = "",
    output_dir: str = "",
    weights: str | None = None,
    samples: int = 500,
    judged: int = 200,
    bank: int = 3000,
    seed: int = 0,
    device: str = "cpu",
    part: str = "test",
) -> None:
    """Measure on held-out subjects what the latent space of a trained recipe is worth.

    Of tissue masks it writes attributes.csv (how single dimensions follow single attributes), intervals.csv (of these
    numbers over the subjects), measures.csv (interpretability, SCC, MIG, SAP, modularity), conditional.csv (samples for
    an attribute value), neuron.csv (of a constrained VAE: the attribute as its neuron tells it), validity.csv
    (plausible masks before and after correction), smallest_area.csv (rank correlation of the ventricle area over the
    smallest brain area of a slice) and traversal_<attribute>.nii.gz. Of all recipes it writes dimensions.csv (KL
    divergence and active units), reconstruction.csv (Dice of masks, PSNR of slices), samples.csv (density and nearest
    training subject of every sample), rejection.csv (acceptance rates), summary.json, the figures as PNG and
    report.html.

    Args:
        recipe: a recipe of tissue masks, such as ar_vae, vae_tissue or constrained_vae, or of slices, such as vae.
        dataset_dir: folder of dataset.json (python -m scripts prepare); for tissue masks with region labels.
        output_dir: folder of the results; eval/<recipe>/latent if empty.
        weights: model.pt of a training of the recipe; by default that in eval/<recipe>, or else the shipped one.
        samples: number of samples of each kind.
        judged: number of masks of each kind whose plausibility is judged and corrected.
        bank: codes drawn from the Parzen window that join the training codes as places to correct masks towards.
        seed: of the samples.
        device: cpu or cuda.
        part: of the cohort: test, or validation to make choices on.
    """
    for name, value in {"samples": samples, "judged": judged, "bank": bank}.items():
        _at_least_one(name, value)
    space = open_space(recipe, dataset_dir, weights, device, part)
    folder = Path(str(output_dir) or f"eval/{space.recipe}/latent")
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    results = Results(space, folder, seed)
    if isinstance(space, TissueSpace):
        _evaluate_masks(space, results, dataset_dir, samples, judged, bank, rng)
    else:
        _evaluate_slices(cast(SliceSpace, space), results, samples, rng)
    results.write()
    shown = results.tables["attributes" if "attributes" in results.tables else "reconstruction"]
    sys.stdout.write(f"{shown.to_string(index=False)}\nwrote {folder / 'report.html'}\n")


def _evaluate_masks(
    space: TissueSpace,
    results: Results,
    dataset_dir: str,
    samples: int,
    judged: int,
    bank: int,
    rng: np.random.Generator,
) -> None:
    steps: dict[str, Callable[[], pd.DataFrame]] = {
        "attributes": lambda: attribute_table_of(space, rng),
        "measures": lambda: measure_table(space),
        "dimensions": lambda: dimension_table(space),
        "reconstruction": lambda: dice_table(space),
        "intervals": lambda: interval_table(space, np.random.default_rng(results.seed)),
    }
    if not (neuron := neuron_table(space)).empty:
        results.add("neuron", neuron)
    if ATTRIBUTE in space.names:
        steps["smallest_area"] = lambda: smallest_area_table(space, dataset_dir)
    for name, step in tqdm(steps.items(), "evaluating", unit="table"):
        results.add(name, step())
    drawn, rejection = draw_samples(space, samples, rng)
    results.add("rejection", rejection)
    results.add("samples", sample_table(space, drawn))
    conditional, asked, got = conditional_table(space, rng)
    results.add("conditional", conditional)
    validity = Validity(space, bank, rng)
    validity.judge_held_out(judged, rng)
    validity.judge_drawn(drawn, judged)
    results.add("validity", validity.table())
    rank_correlations = spearman_matrix(space.codes[space.part], space.attributes(space.part))
    results.figures |= {
        "codes": code_figure(rank_correlations, space.names, results.tables["dimensions"].get("kl", ())),
        "traversals": _traversals(space, results.folder),
        "samples": space.picture([space.model.decode(codes[:SHOWN]) for codes in drawn.values()], list(drawn)),
        "conditional": conditional_figure(asked, got, space.names),
    }
    for name, stages in validity.shown.items():
        results.figures[corrected_figure(name)] = space.picture(list(stages.values()), list(stages))
    results.sections = [*mask_sections(results), *validity_sections(results, validity)]


def _evaluate_slices(space: SliceSpace, results: Results, samples: int, rng: np.random.Generator) -> None:
    for name, make in tqdm(
        {"dimensions": dimension_table, "reconstruction": psnr_table}.items(), "evaluating", unit="table"
    ):
        results.add(name, make(space))
    drawn, rejection = draw_samples(space, samples, rng)
    results.add("rejection", rejection)
    results.add("samples", sample_table(space, drawn))
    images, codes = space.images[space.part], space.codes[space.part]
    shown = np.linspace(0, len(images) - 1, 8).astype(int)
    real, decoded = images[shown].astype(np.float32), space.model.decode(codes[shown])
    first, last = _row(space, None, 0.5), _row(space, str(space.subject[space.part][-1]), 0.5)
    path = space.model.decode(interpolation(codes[first], codes[last], STEPS))
    results.figures |= {
        "reconstructions": space.picture([real, decoded, np.abs(real - decoded)], ["slice", "decoded", "difference"]),
        "interpolation": space.picture([path]),
        "samples": space.picture([space.model.decode(codes[:8]) for codes in drawn.values()], list(drawn)),
    }
    results.sections = slice_sections(results)


@clean_exit()
def traverse(
    attribute: str,
    recipe: str = "ar_vae",
    dataset_dir: str = "",
    output_dir: str = "eval/traversal",
    weights: str | None = None,
    subject: str | None = None,
    level: float = 0.6,
    steps: int = STEPS,
) -> None:
    """Move a slice along the latent dimension of one attribute, from its smallest to its largest training value.

    Writes traversal_<attribute>.png, .nii.gz (a stack of masks) and .csv (the attributes of each mask).

    Args:
        attribute: which one, such as ventricle_area.
        recipe: a recipe of tissue masks.
        dataset_dir: folder of dataset.json, with region labels.
        output_dir: folder of the results.
        weights: model.pt of a training of the recipe; by default that in eval/<recipe>, or else the shipped one.
        subject: a test subject, where to start; the first by default.
        level: which of its slices, from 0 (lowest) to 1.
        steps: number of masks.
    """
    _at_least_one("steps", steps)
    space = open_tissue_space(recipe, dataset_dir, weights)
    dimension = _dimension(space, attribute)
    start = space.codes[space.part][[_row(space, subject, level)]]
    values = space.codes["training"][:, dimension]
    codes = traversal(start, dimension, values.min(), values.max(), steps)[0]
    _write_images(space, codes, Path(output_dir), f"traversal_{attribute}", _numbers(codes[:, dimension]))


@clean_exit()
def interpolate(
    first: str,
    last: str,
    recipe: str = "ar_vae",
    dataset_dir: str = "",
    output_dir: str = "eval/interpolation",
    weights: str | None = None,
    level: float = 0.6,
    steps: int = STEPS,
) -> None:
    """Go in a straight line from a slice of one test subject to that of another.

    Writes interpolation.png, .nii.gz (a stack of masks) and .csv (the attributes of each mask).

    Args:
        first: a test subject.
        last: another.
        recipe: a recipe of tissue masks.
        dataset_dir: folder of dataset.json, with region labels.
        output_dir: folder of the results.
        weights: model.pt of a training of the recipe; by default that in eval/<recipe>, or else the shipped one.
        level: which slice of both, from 0 (lowest) to 1.
        steps: number of masks, both ends included.
    """
    _at_least_one("steps", steps)
    space = open_space(recipe, dataset_dir, weights)
    start, end = (space.codes[space.part][_row(space, str(subject), level)] for subject in (first, last))
    _write_images(
        space, interpolation(start, end, steps), Path(output_dir), "interpolation", _numbers(np.linspace(0, 1, steps))
    )


@clean_exit()
def sample(
    recipe: str = "ar_vae",
    dataset_dir: str = "",
    output_dir: str = "eval/samples",
    weights: str | None = None,
    source: str = "parzen",
    count: int = 100,
    attribute: str | None = None,
    value: float | None = None,
    seed: int = 0,
) -> None:
    """Draw masks: from the Parzen window of the training codes, exactly or by rejection, or from the prior.

    Writes samples.png, samples.nii.gz (a stack) and samples.csv: attributes, log-density in the window, nearest
    training subject and how much of the brain differs from it.

    Args:
        recipe: a recipe of tissue masks.
        dataset_dir: folder of dataset.json, with region labels.
        output_dir: folder of the results.
        weights: model.pt of a training of the recipe; by default that in eval/<recipe>, or else the shipped one.
        source: parzen (exact), rejection (from the same window; of count proposals few are kept) or prior.
        count: number of masks.
        attribute: one that all masks shall have a value of; only with parzen.
        value: that value, in the unit of the attribute.
        seed: of the draws.
    """
    _at_least_one("count", count)
    if source not in SOURCES:
        raise ValueError(f"--source must be one of {', '.join(SOURCES)}, got {source!r}.")
    if (attribute is None) != (value is None) or (attribute is not None and source != "parzen"):
        raise ValueError("--attribute and --value go together, and with --source parzen only.")
    rng = np.random.default_rng(seed)
    space = open_space(recipe, dataset_dir, weights)
    if attribute is not None and value is not None:
        if not isinstance(space, TissueSpace):
            raise ValueError(f"recipe {space.recipe} is not of tissue masks, so it has no attributes; try ar_vae.")
        dimension = _dimension(space, attribute)
        known = space.attributes("training")[:, space.names.index(attribute)]
        scale = AttributeScale(space.codes["training"][:, dimension], known)
        codes = sample_with_attribute(space.window, dimension, scale.code(value), count, rng)
    elif source == "prior":
        codes = rng.standard_normal((count, space.window.codes.shape[1]))
    elif source == "rejection":
        rejection = space.window.sample_by_rejection(count, rng, "third_quartile")
        sys.stdout.write(
            f"kept {len(rejection.codes)} of {count} proposals ({100 * rejection.acceptance_rate:.2f} %)\n"
        )
        codes = rejection.codes
    else:
        codes = space.window.sample(count, rng)
    if len(codes) == 0:
        raise ValueError(f"none of {count} proposals was kept. Raise --count, or use --source parzen, which is exact.")
    density = sample_table(space, {"drawn": codes})
    _write_images(space, codes, Path(output_dir), "samples", (), density[density["source"] == "drawn"])


@clean_exit()
def compare(*folders: str, output_dir: str = "eval/comparison") -> None:
    """Put the results of several trainings side by side, such as three seeds each of ar_vae and vae_tissue.

    Writes comparison.csv and comparison.md: means over the trainings of a recipe, their spread, and intervals over the
    held-out subjects.

    Args:
        folders: output folders of evaluate, of recipes of tissue masks.
        output_dir: folder of the tables.
    """
    if not folders:
        raise ValueError("name the folders of results: python -m scripts latent compare FOLDER FOLDER ...")
    table = comparison_table([Path(str(folder)) for folder in folders])
    target = Path(str(output_dir))
    target.mkdir(parents=True, exist_ok=True)
    _written(table, target / "comparison.csv")
    with replacing(target / "comparison.md") as partial:
        partial.write_text(comparison_markdown(table), encoding="utf-8")
    sys.stdout.write(f"wrote {target / 'comparison.csv'} and comparison.md\n")


def _at_least_one(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"--{name} must be a whole number of at least 1, got {value!r}.")


def _dimension(space: TissueSpace, attribute: str) -> int:
    if attribute not in space.dims:
        raise ValueError(f"--attribute must be one of {', '.join(space.dims)}, got {attribute!r}.")
    return space.dims[attribute]


def _row(space: LatentSpace, subject: str | None, level: float) -> int:
    """The slice of a test subject that is nearest to a level."""
    subjects = list(dict.fromkeys(space.subject[space.part].tolist()))
    name = subjects[0] if subject is None else str(subject)
    if name not in subjects:
        raise ValueError(f"{name} is no test subject of this cohort: choose one of {', '.join(subjects)}.")
    rows = np.flatnonzero(space.subject[space.part] == name)
    return int(rows[np.abs(space.level[space.part][rows] - level).argmin()])


def _numbers(values: np.ndarray) -> list[str]:
    return [f"{value:.2f}" for value in values]


def _written(table: pd.DataFrame, path: Path) -> None:
    with replacing(path) as partial:
        table.to_csv(partial, index=False)


def _write_images(
    space: LatentSpace, codes: np.ndarray, folder: Path, name: str, titles: Any, further: pd.DataFrame | None = None
) -> None:
    """Picture, stack and table of the images of some codes."""
    images = space.model.decode(codes)
    table = space.table(images)
    if further is not None:
        table = pd.concat([table, further.reset_index(drop=True)], axis=1)
    folder.mkdir(parents=True, exist_ok=True)
    written = [f"{name}.png", f"{name}.nii.gz"]
    if len(table.columns):
        _written(table, folder / f"{name}.csv")
        written.append(f"{name}.csv")
    space.save(images, folder / f"{name}.nii.gz")
    rows = [images[start : start + SHOWN] for start in range(0, min(len(images), 8 * SHOWN), SHOWN)]
    with replacing(folder / f"{name}.png") as partial:
        space.picture(rows, column_titles=titles if len(rows) == 1 else ()).savefig(partial, dpi=130)
    sys.stdout.write(f"wrote {', '.join(written)} into {folder}\n")


def _traversals(space: TissueSpace, folder: Path) -> Figure:
    """A row for each attribute, from the middle slice of the first test subject; each is written as a stack, too."""
    start = space.codes[space.part][[_row(space, None, 0.6)]]
    rows = []
    for name, dimension in space.dims.items():
        values = space.codes["training"][:, dimension]
        rows.append(space.model.decode(traversal(start, dimension, values.min(), values.max(), STEPS)[0]))
        space.save(rows[-1], folder / f"traversal_{name}.nii.gz")
    return space.picture(rows, [name.replace("_", " ") for name in space.dims])


if __name__ == "__main__":
    logging.getLogger("monai").setLevel(logging.ERROR)
    commands = (evaluate, traverse, interpolate, sample, compare)
    fire.Fire({command.__name__: command for command in commands})
