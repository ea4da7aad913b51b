# SPDX-License-Identifier: Apache-2.0
"""Describe a folder of heads as a cohort: ``python -m scripts prepare IMAGES DATA``."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ..data.demographics import Demographics, read_demographics
from ..data.describe import DATASET_FILE, LeftOut, describe_cohort, usable_images
from ..data.examine import ExaminedImage, examine
from ..data.image_folder import ImageFile, find_images, stem, subject_name
from ..data.slice_selection import RULES
from ..data.split import PARTS, part_sizes
from ..files.atomic import write_json
from ..files.errors import clean_exit
from ..pages.cohort_picture import save_cohort_picture
from ..studies.command_line import run_command
from ..transforms.plane import plane_axcodes

__all__ = ["main", "prepare"]

REPORT_FILE = "report.json"
PICTURE_FILE = "cohort.png"


@clean_exit()
def prepare(
    images: str,
    output_dir: str,
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
) -> None:
    """Describe a folder of T1-weighted heads as a cohort that training and evaluation read.

    Finds the images, splits them by subject into training, validation and test, chooses the slices that show brain, and
    writes dataset.json, cohort.png (the split and the kept slices), report.json (what was left out, and why) and, where
    they had to be made, brain masks. The images stay where they are. A bad file is left out and named at the end; the
    exit status is then 1.

    Args:
        images: folder of the images: a BIDS tree, IXI names (IXI012-HH-1211-T1.nii.gz) or any .nii, .nii.gz, .mha and
            .nrrd files at any depth. Label and brain mask files in it are recognised by folder (labels, masks,
            derivatives) or name (_seg, _dseg, _mask, ...).
        output_dir: folder of the results; made if it does not exist.
        demographics: .xls, .csv or .tsv table of age, sex, ethnicity and site. The participants.tsv of a BIDS tree is
            found by itself.
        labels: folder of region labels (0 outside the brain), where they are not in the image folder.
        masks: folder of brain masks, where they are not in the image folder.
        selection: rule that chooses the slices: brain (area of the brain above 2636.7 mm2), nonzero_count or
            nonzero_mean (above the first quartile over all slices).
        fractions: shares of training, validation and test, summing to 1; 0,0,1 makes all of them test.
        seed: of the split; a whole number, at least 0.
        plane: sagittal, coronal or axial.
        name: name of the cohort; that of the image folder by default.
        subject_pattern: regular expression whose first group is the subject, searched for in the path of each image
            below the image folder. Needed only where names say it in an unusual way.
        every_nth_slice: of the chosen slices, keep one of each N neighbours, which look alike: a smaller cohort of as
            many subjects, where time is short.
    """
    axcodes = plane_axcodes(plane)
    shares = _checked_options(selection, fractions, seed, every_nth_slice)
    folder, output = Path(str(images)).absolute(), Path(str(output_dir)).absolute()
    found = find_images(folder, _text(labels), _text(masks), _text(subject_pattern), leave_out=output)
    part_sizes(len({image.subject for image in found}), shares)  # too few subjects: say so before the work
    table = _demographic_table(folder, _text(demographics), found)
    output.mkdir(parents=True, exist_ok=True)
    examined, unreadable = _examine_all(found, folder, axcodes, selection, output / "masks")
    usable, threshold, unfit = usable_images(examined, selection)
    problems = [
        {"file": path.relative_to(folder).as_posix(), "reason": reason}
        for path, reason in sorted({**unreadable, **unfit}.items())
    ]
    write_json(output / REPORT_FILE, _report(found, usable, table, problems))
    if not usable:
        raise ValueError(
            f"none of the {len(found)} images in {folder} is usable, nothing was written:{_lines(problems)}"
        )
    cohort = {
        "name": _text(name) or folder.name,
        "description": f"{len(usable)} images of {folder.name}, prepared with python -m scripts prepare",
        "plane": plane,
        **describe_cohort(usable, table, output, selection, threshold, shares, seed, every_nth_slice),
    }
    save_cohort_picture(cohort, output / PICTURE_FILE)
    write_json(output / DATASET_FILE, cohort)
    sys.stdout.write(_summary(cohort, usable, output))
    if problems:
        raise ValueError(f"{len(problems)} of {len(found)} images were left out:{_lines(problems)}")


def _checked_options(selection: str, fractions: Sequence[float], seed: int, every_nth_slice: int) -> tuple[float, ...]:
    """The fractions as numbers; raise for what no cohort can be made with."""
    if selection not in RULES:
        raise ValueError(f"--selection must be one of {', '.join(RULES)}, got {selection!r}.")
    for name, value, least in (("seed", seed, 0), ("every_nth_slice", every_nth_slice, 1)):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(
                f"--{name} must be a whole number, at least {least}, got {value!r}. Example: --{name} {least}."
            )
    try:
        shares = tuple(float(share) for share in fractions)
    except (TypeError, ValueError):
        shares = ()
    if len(shares) != len(PARTS):
        raise ValueError(
            f"--fractions must be three numbers (training, validation, test), got {fractions!r}. "
            "Example: --fractions 0.7,0.15,0.15."
        )
    return shares


def _text(value: object) -> str | None:
    """A command-line value as text: fire turns a folder called 2024 into a number."""
    return None if value is None else str(value)


def _demographic_table(folder: Path, demographics: str | None, found: Sequence[ImageFile]) -> dict[str, Demographics]:
    """What is known about the subjects; a table that knows none of them is the wrong one."""
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
            f"{next(iter(table), 'nobody')}, .... Use the same names, or --subject_pattern."
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


def _lines(problems: Sequence[Mapping[str, str]]) -> str:
    return "".join(f"\n  {problem['file']}: {problem['reason']}" for problem in problems)


def _summary(cohort: Mapping[str, Any], usable: Sequence[ExaminedImage], output: Path) -> str:
    """What was done, in a few lines."""
    items = [item for part in PARTS for item in cohort[part]]
    sizes = ", ".join(f"{part} {len({item['subject'] for item in cohort[part]})}" for part in PARTS)
    kept, slices = sum(len(item["slices"]) for item in items), sum(item["shape"][2] for item in items)
    rule, threshold = cohort["selection"]["rule"], cohort["selection"]["threshold"]
    unknown = Counter(name for item in items for name in ("age", "sex") if name not in item)
    made = sum(one.estimated for one in usable)
    nth = cohort["selection"].get("every_nth_slice", 1)
    lines = [
        f"subjects: {sizes}, balanced by {', '.join(cohort['strata']) or 'nothing (no attribute is known)'}",
        f"slices kept: {kept:,} of {slices:,} ({rule} > {threshold:g}{f', one of {nth}' if nth > 1 else ''})",
        *([f"unknown: {', '.join(f'{name} of {count}' for name, count in unknown.items())} images"] if unknown else []),
        *([f"brain masks estimated for lack of labels: {made}"] if made else []),
        f"written: {output / DATASET_FILE}, {PICTURE_FILE}, {REPORT_FILE}",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Entry point of the command line."""
    run_command(prepare, "python -m scripts prepare")


if __name__ == "__main__":
    main()
