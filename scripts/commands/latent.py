# SPDX-License-Identifier: Apache-2.0
"""``latent evaluate | traverse | interpolate | sample | compare``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from .arguments import Count, Seed, UsageError
from .front import say, say_written

__all__ = ["COMMAND", "compare", "evaluate", "interpolate", "sample", "traverse"]


def evaluate(
    dataset_dir: str = "",
    output_dir: str = "",
    *,
    recipe: str = "ar_vae",
    weights: str | None = None,
    samples: Count = 500,
    judged: Count = 200,
    bank: Count = 3000,
    seed: Seed = 0,
    device: str = "cpu",
    part: Literal["test", "validation"] = "test",
) -> None:
    """Measure on held-out subjects what the latent space of a trained recipe is worth.

    Writes tables, stacks of masks, figures, summary.json and report.html, which docs/latent.md explains.

    Args:
        output_dir: folder of the results; eval/RECIPE/latent by default.
        samples: number of samples of each kind.
        judged: number of masks of each kind that are judged and corrected.
        bank: number of codes from the Parzen window that join the training codes as targets of the correction.
        seed: seed of the samples.
        part: part of the cohort; validation for choices.
    """
    from ..latent.evaluation import evaluate_space
    from ..latent.space import open_space

    space = open_space(recipe, dataset_dir, weights, device, part)
    folder = Path(output_dir or f"eval/{space.recipe}/latent")
    results = evaluate_space(space, folder, dataset_dir, samples=samples, judged=judged, bank=bank, seed=seed)
    say(f"{results.main_table().to_string(index=False)}\nwrote {folder / 'report.html'}")


def traverse(
    attribute: str,
    dataset_dir: str = "",
    output_dir: str = "eval/traversal",
    *,
    recipe: str = "ar_vae",
    weights: str | None = None,
    subject: str | None = None,
    level: float = 0.6,
    steps: Count = 9,
) -> None:
    """Move a slice along the latent dimension of one attribute, from its smallest to its largest training value.

    Writes traversal_<attribute>.png, .nii.gz (a stack of masks) and .csv (the attributes of each mask).

    Args:
        attribute: name of an attribute, such as ventricle_area.
        subject: test subject to start from; the first by default.
        level: level of the slice, from 0 (lowest) to 1.
        steps: number of masks.
    """
    from ..latent import decoded, space

    opened = space.open_tissue_space(recipe, dataset_dir, weights)
    say_written(decoded.traverse(opened, Path(output_dir), attribute, subject=subject, level=level, steps=steps))


def interpolate(
    first: str,
    last: str,
    dataset_dir: str = "",
    output_dir: str = "eval/interpolation",
    *,
    recipe: str = "ar_vae",
    weights: str | None = None,
    level: float = 0.6,
    steps: Count = 9,
) -> None:
    """Go in a straight line from a slice of one test subject to that of another.

    Writes interpolation.png, .nii.gz (a stack of images) and, for masks, .csv (the attributes of each).

    Args:
        first: name of a test subject.
        last: name of another test subject.
        level: level of both slices, from 0 (lowest) to 1.
        steps: number of images, both ends included.
    """
    from ..latent import decoded, space

    opened = space.open_space(recipe, dataset_dir, weights)
    say_written(decoded.interpolate(opened, Path(output_dir), first, last, level=level, steps=steps))


def sample(
    dataset_dir: str = "",
    output_dir: str = "eval/samples",
    *,
    recipe: str = "ar_vae",
    weights: str | None = None,
    source: Literal["parzen", "prior", "rejection"] = "parzen",
    count: Count = 100,
    attribute: str | None = None,
    value: float | None = None,
    seed: Seed = 0,
) -> None:
    """Draw images: from the Parzen window of the training codes, exactly or by rejection, or from the prior.

    Writes samples.png, samples.nii.gz (a stack) and samples.csv: attributes, log-density in the window, nearest
    training subject and how much of the brain differs from it.

    Args:
        source: parzen (exact), rejection (from the same window; few of count proposals are kept) or prior.
        count: number of images.
        attribute: attribute that has the same value in all masks; only with parzen.
        value: value of the attribute, in its unit.
        seed: seed of the draws.
    """
    if (attribute is None) != (value is None) or (attribute is not None and source != "parzen"):
        raise UsageError("--attribute and --value go together, and with --source parzen only.")
    from ..latent import decoded, space

    opened = space.open_space(recipe, dataset_dir, weights)
    wanted = None if attribute is None or value is None else (attribute, value)
    say_written(decoded.sample(opened, Path(output_dir), source=source, count=count, wanted=wanted, seed=seed))


def compare(folders: Sequence[str], *, output_dir: str = "eval/comparison") -> None:
    """Put the results of several trainings side by side, such as three seeds each of ar_vae and vae_tissue.

    Writes comparison.csv and comparison.md: means over trainings, their spread, and intervals over held-out subjects.

    Args:
        folders: output folders of evaluate, of recipes of tissue masks.
    """
    from ..latent.comparison import compare_trainings

    say_written(compare_trainings([Path(folder) for folder in folders], Path(output_dir)))


COMMAND = {command.__name__: command for command in (evaluate, traverse, interpolate, sample, compare)}
