# SPDX-License-Identifier: Apache-2.0
"""Content of ``dataset.json``, from the examined images of a cohort."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .copies import find_copies
from .demographics import Demographics
from .examine import ExaminedImage
from .slice_selection import select_slices, selection_threshold
from .split import DATASET_FILE, PARTS, check_disjoint, split_subjects, stratum_labels

__all__ = ["DATASET_FILE", "LeftOut", "describe_cohort", "usable_images"]

LeftOut = dict[Path, str]
"""Reason for which an image is not in the cohort."""


def usable_images(examined: Sequence[ExaminedImage], rule: str) -> tuple[list[ExaminedImage], float, LeftOut]:
    """Leave out copies of images, and images of which no slice is kept.

    A copy under another name would count as another subject, and could end up in another part.

    Args:
        examined: all readable images.
        rule: selection rule, see :mod:`scripts.data.slice_selection`.

    Returns:
        The usable images, the threshold of the rule over all of them, and why the others are left out.
    """
    if not examined:
        return [], float("nan"), {}
    copies = find_copies(examined)
    left_out: LeftOut = {
        examined[copy].image.path: f"it is a copy of {examined[first].image.path.name}, voxel for voxel."
        for copy, first in copies.items()
    }
    first = [one for place, one in enumerate(examined) if place not in copies]
    threshold = selection_threshold(np.concatenate([one.statistic for one in first]), rule)
    for one in first:
        if not select_slices(one.statistic, rule, threshold).any():
            left_out[one.image.path] = (
                f"no slice is kept: the largest value of the rule {rule} is {one.statistic.max():.1f}, "
                f"{threshold:.1f} must be exceeded."
            )
    return [one for one in first if one.image.path not in left_out], threshold, left_out


def describe_cohort(
    images: Sequence[ExaminedImage],
    table: Mapping[str, Demographics],
    folder: Path,
    rule: str,
    threshold: float,
    fractions: Sequence[float],
    seed: int,
    every_nth_slice: int = 1,
    persons: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Split the subjects, and describe each image.

    Args:
        images: the usable images.
        table: demographics of the subjects, by name.
        folder: folder of ``dataset.json``; paths are relative to it.
        rule: selection rule.
        threshold: threshold of the rule; slices above it are kept.
        fractions: shares of training, validation and test.
        seed: seed of the split.
        every_nth_slice: number N of neighbouring slices above the threshold of which the middle one is kept.
        persons: subject under whose name those who are the same person are split; by default each is another one.

    Returns:
        ``seed``, ``fractions``, ``strata`` (attributes by which the split is balanced), ``selection`` and the three
        parts. An item has ``image``, ``label``?, ``mask``? (paths), ``subject``, ``session``?, ``age``? (years),
        ``sex``? (``"M"`` or ``"F"``), ``ethnicity``? (the table's code), ``site``?, ``sha256`` (of the image file),
        ``slices`` (kept indices along the third axis), ``shape`` and ``spacing_mm`` (mm), both in the orientation of
        the plane.

    Raises:
        ValueError: too few subjects for the fractions.
    """
    items = [_item(one, table, folder, rule, threshold) for one in images]
    selection: dict[str, Any] = {"rule": rule, "threshold": round(threshold, 4)}
    if every_nth_slice > 1:
        selection["every_nth_slice"] = every_nth_slice
        for item in items:
            kept = item["slices"]
            item["slices"] = kept[min(every_nth_slice, len(kept)) // 2 :: every_nth_slice]
    person_of = {item["subject"]: (persons or {}).get(item["subject"], item["subject"]) for item in items}
    strata, used = stratum_labels({person_of[item["subject"]]: item for item in items})
    part_of = split_subjects(strata, fractions, seed)
    parts = {part: [item for item in items if part_of[person_of[item["subject"]]] == part] for part in PARTS}
    cohort = {
        "seed": seed,
        "fractions": list(fractions),
        "strata": used,
        "selection": selection,
        **parts,
    }
    check_disjoint(cohort)
    return cohort


def _item(
    one: ExaminedImage, table: Mapping[str, Demographics], folder: Path, rule: str, threshold: float
) -> dict[str, Any]:
    known = table.get(one.image.subject, Demographics())
    files = {"image": one.image.path, "label": one.label, "mask": one.mask}
    facts = {
        "session": one.image.session,
        "age": known.age,
        "sex": known.sex,
        "ethnicity": known.ethnicity,
        "site": known.site or one.image.site,
    }
    return {
        **{key: Path(os.path.relpath(file, folder)).as_posix() for key, file in files.items() if file is not None},
        "subject": one.image.subject,
        **{key: value for key, value in facts.items() if value is not None},
        "sha256": one.sha256,
        "slices": np.flatnonzero(select_slices(one.statistic, rule, threshold)).tolist(),
        "shape": list(one.shape),
        "spacing_mm": list(one.spacing_mm),
    }
