# SPDX-License-Identifier: Apache-2.0
"""Use the latent space of a trained autoencoder of tissue masks: ``python -m scripts.latent evaluate --recipe ar_vae``.

The other commands are ``traverse``, ``interpolate`` and ``sample``. They need the region labels of the cohort.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fire
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from tqdm import tqdm

from .attributes import UNITS
from .data.cohort import write_json
from .errors import clean_exit
from .latents.conditional import AttributeScale, sample_with_attribute
from .latents.evaluation import (
    attribute_table_of,
    conditional_table,
    dimension_table,
    draw_samples,
    measure_table,
    reconstruction_table,
    sample_table,
)
from .latents.measures import spearman_matrix
from .latents.paths import interpolation, traversal
from .latents.smallest_area import ATTRIBUTE, smallest_area_table
from .latents.space import LatentSpace
from .latents.stack import save_stack
from .latents.validity import Validity
from .plausibility import CRITERIA
from .replacing import replacing
from .reports.latent_figures import code_figure, conditional_figure, mask_grid
from .reports.latent_report import Section, write_latent_report

__all__ = ["evaluate", "interpolate", "sample", "traverse"]

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

    Writes attributes.csv (how single dimensions follow single attributes), measures.csv (interpretability, SCC, MIG,
    SAP, modularity), dimensions.csv (KL divergence and active units), reconstruction.csv (Dice), samples.csv (density
    and nearest training subject of every sample), rejection.csv (acceptance rates), conditional.csv (samples for an
    attribute value), validity.csv (plausible masks before and after correction), smallest_area.csv (rank correlation
    of the ventricle area over the smallest brain area of a slice), summary.json, traversal_<attribute>.nii.gz and
    report.html.

    Args:
        recipe: a recipe of tissue masks, such as ar_vae, vae_tissue or constrained_vae.
        dataset_dir: folder of dataset.json (python -m scripts.prepare), with region labels.
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
    space = LatentSpace(recipe, dataset_dir, weights, device, part)
    folder = Path(str(output_dir) or f"eval/{space.recipe}/latent")
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    tables: dict[str, pd.DataFrame] = {}
    steps: dict[str, Callable[[], pd.DataFrame]] = {
        "attributes": lambda: attribute_table_of(space, rng),
        "measures": lambda: measure_table(space),
        "dimensions": lambda: dimension_table(space),
        "reconstruction": lambda: reconstruction_table(space),
    }
    if ATTRIBUTE in space.names:
        steps["smallest_area"] = lambda: smallest_area_table(space, dataset_dir)
    for name, step in tqdm(steps.items(), "evaluating", unit="table"):
        tables[name] = _written(step(), folder / f"{name}.csv")
    drawn, rejection = draw_samples(space, samples, rng)
    tables["rejection"] = _written(rejection, folder / "rejection.csv")
    tables["samples"] = _written(sample_table(space, drawn), folder / "samples.csv")
    conditional, asked, got = conditional_table(space, rng)
    tables["conditional"] = _written(conditional, folder / "conditional.csv")
    validity = Validity(space, bank, rng)
    validity.judge_held_out(judged, rng)
    validity.judge_drawn(drawn, judged)
    tables["validity"] = _written(validity.table(), folder / "validity.csv")
    figures = {
        "codes": code_figure(
            spearman_matrix(space.codes[space.part], space.attributes(space.part)),
            space.names,
            tables["dimensions"].get("kl", ()),
        ),
        "traversals": _traversals(space, folder),
        "samples": mask_grid([space.model.decode(codes[:SHOWN]) for codes in drawn.values()], list(drawn)),
        "conditional": conditional_figure(asked, got, space.names),
    }
    summary = _summary(space, tables, seed)
    write_json(folder / "summary.json", summary)
    write_latent_report(
        f"The latent space of {space.recipe}",
        _facts(space, summary),
        [*_sections(tables, figures, space.part), *_validity_sections(tables, validity)],
        folder / "report.html",
    )
    sys.stdout.write(f"{tables['attributes'].to_string(index=False)}\nwrote {folder / 'report.html'}\n")


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
    space = LatentSpace(recipe, dataset_dir, weights)
    dimension = _dimension(space, attribute)
    start = space.codes[space.part][[_row(space, subject, level)]]
    values = space.codes["training"][:, dimension]
    codes = traversal(start, dimension, values.min(), values.max(), steps)[0]
    _write_masks(space, codes, Path(output_dir), f"traversal_{attribute}", _numbers(codes[:, dimension]))


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
    space = LatentSpace(recipe, dataset_dir, weights)
    start, end = (space.codes[space.part][_row(space, str(subject), level)] for subject in (first, last))
    _write_masks(
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
    space = LatentSpace(recipe, dataset_dir, weights)
    rng = np.random.default_rng(seed)
    if attribute is not None and value is not None:
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
    _write_masks(space, codes, Path(output_dir), "samples", (), density[density["source"] == "drawn"])


def _at_least_one(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"--{name} must be a whole number of at least 1, got {value!r}.")


def _dimension(space: LatentSpace, attribute: str) -> int:
    if attribute not in space.dims:
        raise ValueError(f"--attribute must be one of {', '.join(space.dims)}, got {attribute!r}.")
    return space.dims[attribute]


def _row(space: LatentSpace, subject: str | None, level: float) -> int:
    """The slice of a test subject that is nearest to a level."""
    tissue = space.masks[space.part].tissue
    subjects = list(dict.fromkeys(tissue.subject.tolist()))
    name = subjects[0] if subject is None else str(subject)
    if name not in subjects:
        raise ValueError(f"{name} is no test subject of this cohort: choose one of {', '.join(subjects)}.")
    rows = np.flatnonzero(tissue.subject == name)
    return int(rows[np.abs(tissue.level[rows] - level).argmin()])


def _numbers(values: np.ndarray) -> list[str]:
    return [f"{value:.2f}" for value in values]


def _written(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    with replacing(path) as partial:
        table.to_csv(partial, index=False)
    return table


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as partial:
        figure.savefig(partial, dpi=130)


def _write_masks(
    space: LatentSpace, codes: np.ndarray, folder: Path, name: str, titles: Any, further: pd.DataFrame | None = None
) -> None:
    """Picture, stack and table of the masks of some codes."""
    masks = space.model.decode(codes)
    table = pd.DataFrame(space.measured(masks), columns=list(space.names)).round(4)
    if further is not None:
        table = pd.concat([table, further.reset_index(drop=True)], axis=1)
    folder.mkdir(parents=True, exist_ok=True)
    _written(table, folder / f"{name}.csv")
    save_stack(masks, space.masks[space.part].tissue.spacing_mm, folder / f"{name}.nii.gz")
    rows = [masks[start : start + SHOWN] for start in range(0, min(len(masks), 8 * SHOWN), SHOWN)]
    _save(mask_grid(rows, column_titles=titles if len(rows) == 1 else ()), folder / f"{name}.png")
    sys.stdout.write(f"wrote {name}.png, {name}.nii.gz and {name}.csv into {folder}\n")


def _traversals(space: LatentSpace, folder: Path) -> Figure:
    """A row for each attribute, from the middle slice of the first test subject; each is written as a stack, too."""
    start = space.codes[space.part][[_row(space, None, 0.6)]]
    rows = []
    for name, dimension in space.dims.items():
        values = space.codes["training"][:, dimension]
        rows.append(space.model.decode(traversal(start, dimension, values.min(), values.max(), STEPS)[0]))
        save_stack(rows[-1], space.masks[space.part].tissue.spacing_mm, folder / f"traversal_{name}.nii.gz")
    return mask_grid(rows, [name.replace("_", " ") for name in space.dims])


def _summary(space: LatentSpace, tables: dict[str, pd.DataFrame], seed: int) -> dict[str, Any]:
    samples = tables["samples"].groupby("source")["difference"].median()
    dimensions = tables["dimensions"]
    return {
        "recipe": space.recipe,
        "weights": str(space.weights),
        "seed": seed,
        "part": space.part,
        "subjects": {part: len(set(masks.tissue.subject.tolist())) for part, masks in space.masks.items()},
        "slices": {part: len(masks) for part, masks in space.masks.items()},
        "kl_nats": float(dimensions["kl"].sum()) if "kl" in dimensions else None,
        "active_units": int(dimensions["active"].sum()),
        "latent_size": len(dimensions),
        "bandwidth": space.window.bandwidth,
        "dice": tables["reconstruction"].groupby("class")["dice"].mean().round(4).to_dict(),
        "difference_from_nearest_training_mask": samples.round(4).to_dict(),
        **{row["measure"]: row["value"] for _, row in tables["measures"].iterrows()},
    }


def _facts(space: LatentSpace, summary: dict[str, Any]) -> list[str]:
    part = space.part
    dice = ", ".join(f"{name} {value:.3f}" for name, value in summary["dice"].items())
    facts = [
        (
            f"{summary['slices'][part]} axial slices of {summary['subjects'][part]} {part} subjects; trained on "
            f"{summary['slices']['training']} of {summary['subjects']['training']}."
        ),
        f"{summary['active_units']} of {summary['latent_size']} dimensions are active.",
        f"Dice of the reconstructions, mean over subjects: {dice}.",
    ]
    if summary["kl_nats"] is not None:
        facts.insert(2, f"KL divergence from the prior: {summary['kl_nats']:.1f} nats.")
    return facts


def _sections(tables: dict[str, pd.DataFrame], figures: dict[str, Figure], part: str) -> list[Section]:
    units = ", ".join(f"{name.replace('_', ' ')} {unit}" for name, unit in UNITS.items() if unit)
    samples = tables["samples"].groupby("source")[["log_density", "difference"]].median().reset_index()
    return [
        Section(
            "Attributes",
            "Rank correlation of each attribute with its own latent dimension and with the best of the others, and the "
            "share of steps along the dimension that raise the attribute of the decoded mask. Attributes that are "
            "themselves correlated cannot have dimensions that are not.",
            tables["attributes"],
            {f"Rank correlation of attributes and dimensions, {part} subjects": figures["codes"]},
        ),
        Section(
            "Measures in common use",
            f"Over all attributes, {part} subjects; 1 is best.",
            tables["measures"],
        ),
        Section(
            "Traversals",
            "One slice, one dimension moved from the smallest to the largest training value.",
            None,
            {"Orange: ventricles, grey: grey matter, white: white matter": figures["traversals"]},
        ),
        Section(
            "Samples",
            "Median log-density in the Parzen window, and median share of the brain that differs from the nearest "
            f"training mask. The row {part} is real masks of unseen subjects: samples well below it would be copies.",
            samples,
            {"From the prior, from the Parzen window, and half way between two held-out subjects": figures["samples"]},
        ),
        Section(
            "Rejection sampling",
            "Share of proposals that are kept, for each way to take the bound. Exact drawing needs none.",
            tables["rejection"],
        ),
        Section(
            "Samples for an attribute value",
            f"Asked for and measured. Units: {units}.",
            tables["conditional"],
            {"Each dot is a sample": figures["conditional"]},
        ),
    ]


def _validity_sections(tables: dict[str, pd.DataFrame], validity: Validity) -> list[Section]:
    table = tables["validity"]
    rates = table[[name for name in table if not name.startswith(tuple(CRITERIA))]]
    criteria = pd.DataFrame(
        {
            "criterion": [name.replace("_", " ") for name in CRITERIA],
            "meaning": [criterion.meaning for criterion in CRITERIA.values()],
            **{row["masks"]: [row[f"{name}_before"] for name in CRITERIA] for _, row in table.iterrows()},
        }
    )
    sections = [
        Section(
            "Plausible anatomy",
            "Share of the masks that meet all twelve criteria at their level, with bounds learned from the training "
            "subjects' labels, before and after correction. Corrected are the implausible ones: towards the nearest "
            "plausible code of the bank; distance is how far the code moved. Damaged segmentations are labels with a "
            "hole, pieces outside, ventricles cut open or a bite; of the decoded mask they take only what makes them "
            "plausible. Dice is against the undamaged labels.",
            rates,
            {
                f"Implausible masks and what became of them: {name}": mask_grid(list(stages.values()), list(stages))
                for name, stages in validity.shown.items()
            },
        ),
        Section("Criteria", "Share of the masks, before correction, that meet each criterion.", criteria),
    ]
    if "smallest_area" in tables:
        sections.append(
            Section(
                "Slices without ventricles",
                "Rank correlation of the ventricle area with its dimension over the slices that show at least so much "
                "brain, and the largest that the ties of slices without ventricles leave possible.",
                tables["smallest_area"],
            )
        )
    return sections


if __name__ == "__main__":
    logging.getLogger("monai").setLevel(logging.ERROR)
    fire.Fire({"evaluate": evaluate, "traverse": traverse, "interpolate": interpolate, "sample": sample})
