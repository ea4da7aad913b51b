# SPDX-License-Identifier: Apache-2.0
"""A folder of heads becomes a cohort: find the images, examine them, choose slices, split the subjects."""

from __future__ import annotations

import logging
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ..anatomy.brain_mask import estimate_brain
from ..files.atomic import write_json
from ..files.errors import printable
from ..transforms.plane import plane_axcodes
from .copies import find_copies, persons
from .demographics import Demographics, DemographicTable, read_demographics
from .describe import DATASET_FILE, LeftOut, describe_cohort, usable_images
from .examine import ExaminedImage, FindBrain, examine
from .file_names import stem
from .image_folder import ImageFile, ImageFolder, find_images
from .slice_selection import RULES
from .split import PARTS, part_sizes, split_hash
from .table_subjects import TableSubjects

__all__ = ["PreparedCohort", "prepare_cohort"]

REPORT_FILE = "report.json"
SHOWN = 3
"""Number of files that the summary names of each kind; the report has all."""
WARNINGS_SHOWN = 20

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PreparedCohort:
    """A cohort, and what became of the files of its folder.

    Attributes:
        cohort: content of dataset.json.
        folder: folder of dataset.json.
        images: number of images found, with those that cannot be read.
        estimated: number of brain masks that were estimated for lack of labels.
        unusable: ``file`` and ``reason`` of each image that cannot be read or used.
        others: ``file`` and ``reason`` of each image of another kind: other contrasts, derived images.
        not_used: ``file`` and ``reason`` of labels and masks that show no brain.
    """

    cohort: dict[str, Any]
    folder: Path
    images: int
    estimated: int
    unusable: list[dict[str, str]]
    others: list[dict[str, str]]
    not_used: list[dict[str, str]]

    def summary(self) -> str:
        """The split, the slices and what is unknown or not used, in a few lines."""
        cohort = self.cohort
        items = [item for part in PARTS for item in cohort[part]]
        sizes = ", ".join(f"{part} {len({item['subject'] for item in cohort[part]})}" for part in PARTS)
        kept, slices = sum(len(item["slices"]) for item in items), sum(item["shape"][2] for item in items)
        rule, threshold = cohort["selection"]["rule"], cohort["selection"]["threshold"]
        nth = cohort["selection"].get("every_nth_slice", 1)
        lines = [
            f"subjects: {sizes}, balanced by {', '.join(cohort['strata']) or 'nothing (no attribute is known)'}",
            f"slices kept: {kept:,} of {slices:,} ({rule} > {threshold:g}{f', one of {nth}' if nth > 1 else ''})",
            f"split: {split_hash(cohort)}",
        ]
        unknown = Counter(name for item in items for name in ("age", "sex") if name not in item)
        if unknown:
            lines.append(f"unknown: {', '.join(f'{name} of {count}' for name, count in unknown.items())} images")
        if self.estimated:
            lines.append(f"brain masks estimated for lack of labels: {self.estimated}")
        return "\n".join([*lines, *_grouped("left out", self.others), *_grouped("not used", self.not_used)])


def _grouped(what: str, files: Sequence[Mapping[str, str]]) -> list[str]:
    """A line for each reason, with the first files that it holds for."""
    groups: dict[str, list[str]] = {}
    for one in files:
        groups.setdefault(one["reason"], []).append(printable(one["file"]))
    return [
        f"{what}: {', '.join(names[:SHOWN])}{f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''}: {reason}"
        for reason, names in groups.items()
    ]


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
    find_brain: FindBrain = estimate_brain,
) -> PreparedCohort:
    """Describe a folder of T1-weighted heads as a cohort that training and evaluation read.

    Writes dataset.json, report.json (what was left out or not used, and why) and, where they had to be made, brain
    masks. A bad file is left out. Doubts about who is who are logged as warnings.

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
        find_brain: function from a head to its brain mask, for heads without labels or mask.

    Raises:
        FileNotFoundError: there is no such folder, no image in it, or no such table.
        OSError: ``output_dir`` cannot be written to.
        ValueError: an option is out of range, there are too few subjects, the table knows none of them, or no image is
            usable.
    """
    axcodes = plane_axcodes(plane)
    _check_options(selection, seed, every_nth_slice)
    shares = [float(share) for share in fractions]
    folder, output = Path(images).absolute(), Path(output_dir).absolute()
    there = find_images(folder, labels, masks, subject_pattern, leave_out=output)
    part_sizes(len({image.subject for image in there.images}), shares)  # too few subjects: say so before the work
    table, doubts = _demographic_table(folder, demographics, there.images)
    warnings = [*there.warnings, *doubts]
    for warning in warnings[:WARNINGS_SHOWN]:
        logger.warning("warning: %s", warning)
    if len(warnings) > WARNINGS_SHOWN:
        logger.warning("warning: %d more, see %s", len(warnings) - WARNINGS_SHOWN, REPORT_FILE)
    _check_writable(output)
    strict = [kind for kind, given in (("label", labels), ("mask", masks)) if given is not None]
    look = partial(examine, axcodes=axcodes, rule=selection, strict=strict, find_brain=find_brain)
    examined, unreadable = _examine_all(there.images, folder, output / "masks", look)
    usable, threshold, unfit = usable_images(examined, selection)
    unusable = _listed(there.unreadable | _below(folder, {**unreadable, **unfit}))
    others = _listed(there.other_images)
    not_used = _listed(there.not_used | _below(folder, {k: v for one in examined for k, v in one.not_used.items()}))
    left_out = sorted([*unusable, *others], key=lambda one: one["file"])
    report = _report(there, usable, table, left_out, not_used, warnings)
    if not usable:
        write_json(output / REPORT_FILE, report)
        lines = "".join(f"\n  {printable(one['file'])}: {one['reason']}" for one in unusable)
        raise ValueError(f"none of the {len(there.images)} images in {folder} is usable, nothing was written:{lines}")
    same = persons(examined, find_copies(examined))
    description = describe_cohort(usable, table, output, selection, threshold, shares, seed, every_nth_slice, same)
    cohort = {
        "name": name or folder.name,
        "description": f"{len(usable)} images of {folder.name}, prepared with python -m scripts prepare",
        "plane": plane,
        **description,
    }
    write_json(output / REPORT_FILE, {**report, "split": split_hash(cohort)})
    write_json(output / DATASET_FILE, cohort)
    estimated = sum(one.estimated for one in usable)
    return PreparedCohort(
        cohort, output, len(there.images) + len(there.unreadable), estimated, unusable, others, not_used
    )


def _listed(reasons: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"file": file, "reason": reason} for file, reason in sorted(reasons.items())]


def _below(folder: Path, reasons: Mapping[Path, str]) -> dict[str, str]:
    """Files by their paths below a folder, those elsewhere by their whole paths."""
    return {
        (path.relative_to(folder) if folder in path.parents else path).as_posix(): reason
        for path, reason in reasons.items()
    }


def _check_writable(output: Path) -> None:
    """Make the folder of the results, and try it before the work."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output):
            pass
    except OSError as error:
        message = f"the results cannot be written into {output} ({error.strerror}). Give another folder."
        raise type(error)(message) from None


def _check_options(selection: str, seed: int, every_nth_slice: int) -> None:
    if selection not in RULES:
        raise ValueError(f"selection must be one of {', '.join(RULES)}, got {selection!r}.")
    for name, value, least in (("seed", seed, 0), ("every_nth_slice", every_nth_slice, 1)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}.")


def _demographic_table(
    folder: Path, demographics: str | None, found: Sequence[ImageFile]
) -> tuple[DemographicTable, list[str]]:
    """Demographics of the subjects, and doubts; a table with none of them is taken for the wrong one."""
    participants = folder / "participants.tsv"
    if demographics is None and not os.path.lexists(participants):
        return DemographicTable({}, []), []
    file = demographics or str(participants)
    subjects = {image.subject for image in found}
    try:
        return _read_table(file, folder, subjects)
    except (OSError, ValueError) as error:
        if demographics is not None:
            raise
        return DemographicTable({}, []), [f"age and sex are unknown: {error}"]


def _read_table(file: str, folder: Path, subjects: Collection[str]) -> tuple[DemographicTable, list[str]]:
    names = TableSubjects(subjects)
    table = read_demographics(file, names)
    if not table:
        raise ValueError(
            f"no subject of {folder} is in {file}: the images are of {min(subjects)}, ..., the table is of "
            f"{names.unknown or 'nobody'}, .... Use the same names, or a subject_pattern."
        )
    notes = [f"{subject}: {note}." for subject, note in table.notes]
    return table, [*names.doubts(file), *notes]


def _examine_all(
    found: Sequence[ImageFile], folder: Path, mask_folder: Path, look: Callable[..., ExaminedImage]
) -> tuple[list[ExaminedImage], LeftOut]:
    """Examine every image, in threads; a bad one does not stop the others."""
    names = Counter(_mask_name(image, folder) for image in found)
    left_out: LeftOut = {}

    def one(image: ImageFile) -> ExaminedImage | None:
        name = _mask_name(image, folder)
        if names[name] > 1:  # x.nii beside x.nii.gz
            name = image.path.relative_to(folder)
        mask_file = mask_folder / name.with_name(f"{name.name}_mask.nii.gz")
        try:
            return look(image, mask_file=mask_file)
        except ValueError as error:
            left_out[image.path] = str(error)
            return None

    threads = torch.get_num_threads()
    with ThreadPoolExecutor(os.cpu_count(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        results = list(tqdm(pool.map(one, found), total=len(found), desc="reading heads", unit="head"))
    torch.set_num_threads(threads)
    return [result for result in results if result is not None], left_out


def _mask_name(image: ImageFile, folder: Path) -> Path:
    """Path of an image below the folder, without its suffix."""
    return image.path.relative_to(folder).with_name(stem(image.path.name))


def _report(
    there: ImageFolder,
    usable: Sequence[ExaminedImage],
    table: Mapping[str, Demographics],
    left_out: Sequence[Mapping[str, str]],
    not_used: Sequence[Mapping[str, str]],
    warnings: Sequence[str],
) -> dict[str, Any]:
    subjects = sorted({one.image.subject for one in usable})
    known = {subject: table.get(subject, Demographics()) for subject in subjects}
    return {
        "images": len(there.images) + len(there.unreadable),
        "usable": len(usable),
        "subjects": len(subjects),
        "told_by": dict(Counter(one.image.layout for one in usable)),
        "left_out": list(left_out),
        "not_used": list(not_used),
        "warnings": list(warnings),
        "without_row": [subject for subject in subjects if table and subject not in table],
        "estimated_masks": [one.image.path.name for one in usable if one.estimated],
        "unknown": {
            name: [subject for subject, facts in known.items() if getattr(facts, name) is None]
            for name in ("age", "sex", "ethnicity")
        },
    }
