# SPDX-License-Identifier: Apache-2.0
"""Describe a folder of heads as a cohort: ``python -m scripts.prepare IMAGES --output_dir DATA``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fire
import numpy as np
from tqdm import tqdm

from .data.cohort import DATASET_FILE, PARTS, check_disjoint, write_json
from .data.demographics import Demographics, read_demographics
from .data.examine import ExaminedImage, examine
from .data.image_folder import ImageFile, find_images, stem
from .data.slice_selection import RULES, select_slices, selection_threshold
from .data.split import split_subjects, stratum_labels
from .errors import clean_exit
from .transforms.plane import plane_axcodes

__all__ = ["prepare"]

REPORT_FILE = "report.json"


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
) -> None:
    """Describe a folder of T1-weighted heads as a cohort that training and evaluation read.

    Args:
        images: folder of the images.
        output_dir: where dataset.json, masks and the picture go.
        demographics: .xls, .csv or .tsv table.
        labels: folder of label files.
        masks: folder of brain masks.
        selection: brain, nonzero_count or nonzero_mean.
        fractions: shares of training, validation and test.
        seed: of the split.
        plane: sagittal, coronal or axial.
        name: of the cohort.
    """
    axcodes = plane_axcodes(plane)
    if selection not in RULES:
        raise ValueError(f"--selection must be one of {', '.join(RULES)}, got {selection!r}.")
    output = Path(str(output_dir)).absolute()
    found = find_images(str(images), labels, masks)
    table = _table(Path(str(images)), demographics)
    output.mkdir(parents=True, exist_ok=True)
    examined, problems = _examine_all(found, axcodes, selection, output)
    write_json(output / REPORT_FILE, {"images": len(found), "usable": len(examined), "problems": problems})
    if not examined:
        raise ValueError(f"none of the {len(found)} images of {images} is usable:\n" + _listed(problems))
    cohort = _describe(examined, table, output, selection, fractions, seed)
    write_json(output / DATASET_FILE, {"name": name or Path(images).absolute().name, "plane": plane, **cohort})
    tqdm.write(f"{output / DATASET_FILE}: " + ", ".join(f"{part} {len(cohort[part])}" for part in PARTS))
    if problems:
        raise ValueError(f"{len(problems)} of {len(found)} images were left out:\n" + _listed(problems))


def _table(folder: Path, demographics: str | None) -> dict[str, Demographics]:
    bids = folder / "participants.tsv"
    if demographics is not None:
        return read_demographics(str(demographics))
    return read_demographics(bids) if bids.is_file() else {}


def _listed(problems: Sequence[dict[str, str]]) -> str:
    return "\n".join(f"  {problem['file']}: {problem['reason']}" for problem in problems)


def _examine_all(
    found: Sequence[ImageFile], axcodes: str, rule: str, output: Path
) -> tuple[list[ExaminedImage], list[dict[str, str]]]:
    def one(image: ImageFile) -> ExaminedImage | dict[str, str]:
        try:
            return examine(image, axcodes, rule, output / "masks" / f"{stem(image.path)}_mask.nii.gz")
        except (ValueError, OSError) as error:
            return {"file": str(image.path), "reason": str(error)}

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        results = list(tqdm(pool.map(one, found), total=len(found), desc="reading heads", unit="head"))
    return (
        [result for result in results if isinstance(result, ExaminedImage)],
        [result for result in results if isinstance(result, dict)],
    )


def _describe(
    examined: Sequence[ExaminedImage],
    table: dict[str, Demographics],
    output: Path,
    rule: str,
    fractions: Sequence[float],
    seed: int,
) -> dict[str, Any]:
    threshold = selection_threshold(np.concatenate([one.statistic for one in examined]), rule)
    items = [_item(one, table, output, rule, threshold) for one in examined]
    strata, used = stratum_labels({item["subject"]: item for item in items})
    part_of = split_subjects(strata, fractions, seed)
    cohort = {
        "description": "written by python -m scripts.prepare",
        "seed": seed,
        "fractions": list(fractions),
        "strata": used,
        "selection": {"rule": rule, "threshold": round(threshold, 4)},
        **{part: [item for item in items if part_of[item["subject"]] == part] for part in PARTS},
    }
    check_disjoint(cohort)
    return cohort


def _item(
    one: ExaminedImage, table: dict[str, Demographics], output: Path, rule: str, threshold: float
) -> dict[str, Any]:
    known = table.get(one.image.subject, Demographics())
    files = {"image": one.image.path, "label": one.image.label, "mask": one.mask}
    facts = {"age": known.age, "sex": known.sex, "ethnicity": known.ethnicity, "site": known.site or one.image.site}
    return {
        **{key: Path(os.path.relpath(file, output)).as_posix() for key, file in files.items() if file is not None},
        "subject": one.image.subject,
        **{key: value for key, value in facts.items() if value is not None},
        "sha256": one.sha256,
        "slices": np.flatnonzero(select_slices(one.statistic, rule, threshold)).tolist(),
        "shape": list(one.shape),
        "spacing_mm": list(one.spacing_mm),
    }


if __name__ == "__main__":
    fire.Fire(prepare)
