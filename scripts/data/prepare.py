# SPDX-License-Identifier: Apache-2.0
"""A folder of heads becomes a cohort: find the images, examine them, choose slices, split the subjects."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ..files.atomic import write_json
from ..transforms.plane import plane_axcodes
from .demographics import Demographics, read_demographics
from .describe import DATASET_FILE, LeftOut, describe_cohort, usable_images
from .examine import ExaminedImage, examine
from .image_folder import ImageFile, find_images, stem, subject_name
from .slice_selection import RULES
from .split import PARTS, part_sizes

__all__ = ["PreparedCohort", "prepare_cohort"]

REPORT_FILE = "report.json"


@dataclass(frozen=True)
class PreparedCohort:
    """A cohort, and what became of the images of its folder.

    Attributes:
        cohort: content of dataset.json.
        folder: folder of dataset.json.
        images: number of images found.
        estimated: number of brain masks that were estimated for lack of labels.
        left_out: ``file`` and ``reason`` of each image that is not in the cohort.
    """

    cohort: dict[str, Any]
    folder: Path
    images: int
    estimated: int
    left_out: list[dict[str, str]]

    def summary(self) -> str:
        """The split, the slices and what is unknown, in a few lines."""
        cohort = self.cohort
        items = [item for part in PARTS for item in cohort[part]]
        sizes = ", ".join(f"{part} {len({item['subject'] for item in cohort[part]})}" for part in PARTS)
        kept, slices = sum(len(item["slices"]) for item in items), sum(item["shape"][2] for item in items)
        rule, threshold = cohort["selection"]["rule"], cohort["selection"]["threshold"]
        nth = cohort["selection"].get("every_nth_slice", 1)
        lines = [
            f"subjects: {sizes}, balanced by {', '.join(cohort['strata']) or 'nothing (no attribute is known)'}",
            f"slices kept: {kept:,} of {slices:,} ({rule} > {threshold:g}{f', one of {nth}' if nth > 1 else ''})",
        ]
        unknown = Counter(name for item in items for name in ("age", "sex") if name not in item)
        if unknown:
            lines.append(f"unknown: {', '.join(f'{name} of {count}' for name, count in unknown.items())} images")
        if self.estimated:
            lines.append(f"brain masks estimated for lack of labels: {self.estimated}")
        return "\n".join(lines)


def prepare_cohort(
    images: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    *,
    demographics: str | None = None,
    labels: str | None = None,
    masks: str | None = None,
    selection: str = "brain",
    fractions: Sequence[float] = (0.7, 0.15, 0.15),
    seed: int = 0,
    plane: str = "sagittal",
    name: str | None = None,
    subject_pattern: str | None = None,
    every_nth_slice: int = 1,
) -> PreparedCohort:
    """Describe a folder of T1-weighted heads as a cohort that training and evaluation read.

    Writes dataset.json, report.json (what was left out, and why) and, where they had to be made, brain masks. A bad
    file is left out.

    Args:
        images: folder of the images, see :func:`~scripts.data.image_folder.find_images`.
        output_dir: folder of the results; created if it does not exist.
        demographics: table of age, sex, ethnicity and site; by default the participants.tsv of a BIDS tree.
        labels: folder of region labels, where they are not in the image folder.
        masks: folder of brain masks, where they are not in the image folder.
        selection: rule that chooses the slices, see :mod:`scripts.data.slice_selection`.
        fractions: shares of training, validation and test, summing to 1.
        seed: seed of the split, at least 0.
        plane: sagittal, coronal or axial.
        name: name of the cohort; that of the image folder by default.
        subject_pattern: regular expression whose first group is the subject, searched for in the path of each image.
        every_nth_slice: number N of neighbouring chosen slices of which one is kept.

    Raises:
        FileNotFoundError: there is no such folder, no image in it, or no such table.
        ValueError: an option is out of range, there are too few subjects, the table knows none of them, or no image is
            usable.
    """
    axcodes = plane_axcodes(plane)
    _check_options(selection, seed, every_nth_slice)
    shares = [float(share) for share in fractions]
    folder, output = Path(images).absolute(), Path(output_dir).absolute()
    found = find_images(folder, labels, masks, subject_pattern, leave_out=output)
    part_sizes(len({image.subject for image in found}), shares)  # too few subjects: say so before the work
    table = _demographic_table(folder, demographics, found)
    output.mkdir(parents=True, exist_ok=True)
    examined, unreadable = _examine_all(found, folder, axcodes, selection, output / "masks")
    usable, threshold, unfit = usable_images(examined, selection)
    left_out = [
        {"file": path.relative_to(folder).as_posix(), "reason": reason}
        for path, reason in sorted({**unreadable, **unfit}.items())
    ]
    write_json(output / REPORT_FILE, _report(found, usable, table, left_out))
    if not usable:
        lines = "".join(f"\n  {one['file']}: {one['reason']}" for one in left_out)
        raise ValueError(f"none of the {len(found)} images in {folder} is usable, nothing was written:{lines}")
    cohort = {
        "name": name or folder.name,
        "description": f"{len(usable)} images of {folder.name}, prepared with python -m scripts prepare",
        "plane": plane,
        **describe_cohort(usable, table, output, selection, threshold, shares, seed, every_nth_slice),
    }
    write_json(output / DATASET_FILE, cohort)
    return PreparedCohort(cohort, output, len(found), sum(one.estimated for one in usable), left_out)


def _check_options(selection: str, seed: int, every_nth_slice: int) -> None:
    if selection not in RULES:
        raise ValueError(f"selection must be one of {', '.join(RULES)}, got {selection!r}.")
    for name, value, least in (("seed", seed, 0), ("every_nth_slice", every_nth_slice, 1)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}.")


def _demographic_table(folder: Path, demographics: str | None, found: Sequence[ImageFile]) -> dict[str, Demographics]:
    """Demographics of the subjects; a table with none of them is taken for the wrong one."""
    participants = folder / "participants.tsv"
    if demographics is None and not participants.is_file():
        return {}
    file = demographics or str(participants)
    table: dict[str, Demographics] = {}
    for name, facts in read_demographics(file).items():
        table.setdefault(subject_name(name), facts)
    if not any(image.subject in table for image in found):
        raise ValueError(
            f"no subject of {folder} is in {file}: the images are of {found[0].subject}, ..., the table is of "
            f"{next(iter(table), 'nobody')}, .... Use the same names, or a subject_pattern."
        )
    return table


def _examine_all(
    found: Sequence[ImageFile], folder: Path, axcodes: str, rule: str, mask_folder: Path
) -> tuple[list[ExaminedImage], LeftOut]:
    """Examine every image, in threads; a bad one does not stop the others."""
    left_out: LeftOut = {}

    def one(image: ImageFile) -> ExaminedImage | None:
        place = mask_folder / image.path.relative_to(folder).parent / f"{stem(image.path)}_mask.nii.gz"
        try:
            return examine(image, axcodes, rule, place)
        except ValueError as error:
            left_out[image.path] = str(error)
            return None

    threads = torch.get_num_threads()
    with ThreadPoolExecutor(os.cpu_count(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        results = list(tqdm(pool.map(one, found), total=len(found), desc="reading heads", unit="head"))
    torch.set_num_threads(threads)
    return [result for result in results if result is not None], left_out


def _report(
    found: Sequence[ImageFile],
    usable: Sequence[ExaminedImage],
    table: Mapping[str, Demographics],
    problems: Sequence[Mapping[str, str]],
) -> dict[str, Any]:
    subjects = sorted({one.image.subject for one in usable})
    known = {subject: table.get(subject, Demographics()) for subject in subjects}
    return {
        "images": len(found),
        "usable": len(usable),
        "subjects": len(subjects),
        "left_out": list(problems),
        "without_row": [subject for subject in subjects if table and subject not in table],
        "estimated_masks": [one.image.path.name for one in usable if one.estimated],
        "unknown": {
            name: [subject for subject, facts in known.items() if getattr(facts, name) is None]
            for name in ("age", "sex", "ethnicity")
        },
    }
