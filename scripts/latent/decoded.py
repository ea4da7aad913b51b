# SPDX-License-Identifier: Apache-2.0
"""Decoded codes as a picture, a stack of images and a table: traversals, interpolations, samples."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..files.atomic import replacing, write_csv
from .samples import sample_table
from .sampling import AttributeScale, interpolation, sample_with_attribute, traversal
from .space import LatentSpace, TissueSpace

__all__ = ["Source", "attribute_path", "interpolate", "sample", "slice_row", "traverse"]

Source = Literal["parzen", "prior", "rejection"]
PER_ROW, MOST_ROWS = 12, 8
"""Images in a row of the picture, and its largest number of rows."""

logger = logging.getLogger(__name__)


def traverse(
    space: TissueSpace, folder: Path, attribute: str, *, subject: str | None = None, level: float = 0.6, steps: int = 9
) -> list[Path]:
    """Move the code of a held-out slice along the dimension of an attribute, over its range in the training.

    Args:
        space: trained recipe and cohort.
        folder: folder of the results.
        attribute: name of an attribute of the recipe.
        subject: subject of the slice; the first held-out one by default.
        level: level of the slice, 0 (lowest) to 1.
        steps: number of masks.

    Returns:
        The files: ``traversal_<attribute>.png``, ``.nii.gz`` and ``.csv``.

    Raises:
        ValueError: there is no such attribute or subject.
    """
    codes = attribute_path(space, attribute, slice_row(space, subject, level), steps)
    return _write(space, codes, folder, f"traversal_{attribute}", _titles(codes[:, space.dims[attribute]]))


def interpolate(
    space: LatentSpace, folder: Path, first: str, last: str, *, level: float = 0.6, steps: int = 9
) -> list[Path]:
    """Interpolate between the codes of slices of two held-out subjects.

    Args:
        space: trained recipe and cohort.
        folder: folder of the results.
        first: subject of the first slice.
        last: subject of the last slice.
        level: level of both slices, 0 (lowest) to 1.
        steps: number of images, both ends included.

    Returns:
        The files: ``interpolation.png``, ``.nii.gz`` and, for masks, ``.csv``.

    Raises:
        ValueError: there is no such subject.
    """
    start, end = (space.codes[space.part][slice_row(space, subject, level)] for subject in (first, last))
    return _write(space, interpolation(start, end, steps), folder, "interpolation", _titles(np.linspace(0, 1, steps)))


def sample(
    space: LatentSpace,
    folder: Path,
    *,
    source: Source = "parzen",
    count: int = 100,
    wanted: tuple[str, float] | None = None,
    seed: int = 0,
) -> list[Path]:
    """Draw images from the Parzen window of the training codes, exactly or by rejection, or from the prior.

    Args:
        space: trained recipe and cohort.
        folder: folder of the results.
        source: source of the codes.
        count: number of images; with rejection, of proposals.
        wanted: an attribute and its value, in its unit, that all masks have; from the Parzen window.
        seed: seed of the draws.

    Returns:
        The files: ``samples.png``, ``.nii.gz`` and ``.csv``.

    Raises:
        ValueError: the recipe has no such attribute, the value is out of its range, or no proposal was kept.
    """
    rng = np.random.default_rng(seed)
    if wanted is not None:
        codes = _with_attribute(space, *wanted, count, rng)
    elif source == "prior":
        codes = rng.standard_normal((count, space.window.codes.shape[1]))
    elif source == "rejection":
        rejection = space.window.sample_by_rejection(count, rng, "third_quartile")
        rate = 100 * rejection.acceptance_rate
        logger.info("kept %d of %d proposals (%.2f %%)", len(rejection.codes), count, rate)
        codes = rejection.codes
    else:
        codes = space.window.sample(count, rng)
    if len(codes) == 0:
        raise ValueError(f"none of {count} proposals was kept. Raise the count, or draw from parzen, which is exact.")
    density = sample_table(space, {"drawn": codes})
    return _write(space, codes, folder, "samples", (), density[density["source"] == "drawn"])


def attribute_path(space: TissueSpace, attribute: str, row: int, steps: int) -> NDArray[np.floating]:
    """Traversal from a held-out slice along the dimension of an attribute, over the range of the training codes.

    Args:
        space: trained recipe and cohort.
        attribute: name of an attribute of the recipe.
        row: index of the slice among those of the held-out subjects.
        steps: number of codes.

    Returns:
        ``(steps, K)``.

    Raises:
        ValueError: there is no such attribute.
    """
    if attribute not in space.dims:
        raise ValueError(f"attribute must be one of {', '.join(space.dims)}, got {attribute!r}.")
    dimension = space.dims[attribute]
    values = space.codes["training"][:, dimension]
    return traversal(space.codes[space.part][[row]], dimension, values.min(), values.max(), steps)[0]


def slice_row(space: LatentSpace, subject: str | None, level: float) -> int:
    """Row of the slice of a held-out subject that is nearest to a level.

    Args:
        space: trained recipe and cohort.
        subject: name of the subject; the first one by default.
        level: level, 0 (lowest) to 1.

    Raises:
        ValueError: there is no such subject.
    """
    subjects = list(dict.fromkeys(space.subject[space.part].tolist()))
    name = subjects[0] if subject is None else subject
    if name not in subjects:
        raise ValueError(f"{name} is no {space.part} subject of this cohort: choose one of {', '.join(subjects)}.")
    rows = np.flatnonzero(space.subject[space.part] == name)
    return int(rows[np.abs(space.level[space.part][rows] - level).argmin()])


def _with_attribute(
    space: LatentSpace, attribute: str, value: float, count: int, rng: np.random.Generator
) -> NDArray[np.floating]:
    """Codes of masks that have a value of an attribute."""
    if not isinstance(space, TissueSpace):
        raise ValueError(f"recipe {space.recipe} is not of tissue masks, so it has no attributes; try ar_vae.")
    if attribute not in space.dims:
        raise ValueError(f"attribute must be one of {', '.join(space.dims)}, got {attribute!r}.")
    dimension = space.dims[attribute]
    known = space.attributes("training")[:, space.names.index(attribute)]
    scale = AttributeScale(space.codes["training"][:, dimension], known)
    return sample_with_attribute(space.window, dimension, scale.code(value), count, rng)


def _titles(values: Iterable[float]) -> list[str]:
    return [f"{value:.2f}" for value in values]


def _write(
    space: LatentSpace,
    codes: NDArray[np.floating],
    folder: Path,
    name: str,
    titles: Sequence[str],
    further: pd.DataFrame | None = None,
) -> list[Path]:
    """Picture, stack and table of the images of some codes."""
    images = space.model.decode(codes)
    table = space.table(images)
    if further is not None:
        table = pd.concat([table, further.reset_index(drop=True)], axis=1)
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / f"{name}.png", folder / f"{name}.nii.gz"]
    rows = [images[start : start + PER_ROW] for start in range(0, min(len(images), MOST_ROWS * PER_ROW), PER_ROW)]
    with replacing(written[0]) as partial:
        space.picture(rows, column_titles=titles if len(rows) == 1 else ()).savefig(partial, dpi=130)
    space.save(images, written[1])
    if len(table.columns):
        written.append(folder / f"{name}.csv")
        write_csv(written[-1], table)
    return written
