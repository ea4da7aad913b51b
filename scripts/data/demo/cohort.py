# SPDX-License-Identifier: Apache-2.0
"""The demo cohort: synthetic T1-weighted heads, created without a download and described like any other cohort."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
from tqdm import tqdm

from ...files.atomic import write_json
from ...files.installation import cache_folder
from ...transforms.plane import plane_axcodes
from ..demographics import read_demographics
from ..describe import DATASET_FILE, describe_cohort, usable_images
from ..examine import examine
from ..image_folder import find_images
from . import head as demo_head

__all__ = ["NUM_SUBJECTS", "ensure_demo_cohort"]

NUM_SUBJECTS = 12
SMALLEST_COHORT = 4
FRACTIONS = (0.7, 0.15, 0.15)
PLANE = "sagittal"
RULE = "brain"
ORIENTATIONS = ("PSR", "RAS", "LPS", "LAS")
"""Axis orders in which the heads are stored in turn: scanners differ, so the pipeline must not care."""
FINGERPRINT_FILE = "demo_cohort.json"
"""File with the parameters of a finished cohort."""


def ensure_demo_cohort(
    folder: str | os.PathLike[str] | None = None,
    num_subjects: int = NUM_SUBJECTS,
    seed: int = 0,
    spacing_mm: float = 2.0,
) -> Path:
    """Make the demo cohort unless it is there already, and return its folder.

    The folder appears by rename, so it is whole or absent; one that was made with other parameters or by another
    version of the code is replaced.

    Args:
        folder: folder of the cohort. Defaults to ``eval/demo/cohort`` below the working directory, or to the user's
            cache, see :func:`scripts.files.installation.cache_folder`.
        num_subjects: number of heads, at least 4; about two thirds train, the rest is shared by validation and test.
        seed: everything random follows from it; the same seed gives the same files, byte for byte.
        spacing_mm: isotropic voxel size in mm.

    Returns:
        Folder with ``images/``, ``labels/`` (:data:`scripts.data.demo.head.REGIONS`), ``subjects.csv`` (age and sex,
        invented) and ``dataset.json``.

    Raises:
        ValueError: fewer than 4 subjects, or a folder that holds something else.
    """
    if num_subjects < SMALLEST_COHORT:
        raise ValueError(f"the demo cohort needs at least {SMALLEST_COHORT} subjects, got {num_subjects}.")
    target = Path(folder) if folder else (cache_folder() / "demo" / "cohort").absolute()
    fingerprint = {"num_subjects": num_subjects, "seed": seed, "spacing_mm": spacing_mm, "code_sha256": _code_sha256()}
    if _is_made(target, fingerprint):
        return target
    if target.exists() and any(target.iterdir()) and not (target / FINGERPRINT_FILE).is_file():
        raise ValueError(f"{target} exists and is no demo cohort. Choose another folder, or remove this one.")
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        made = work / target.name
        _write_heads(made, num_subjects, seed, spacing_mm)
        _describe(made, seed)
        write_json(made / FINGERPRINT_FILE, fingerprint)
        _replace(target, made, work / "stale", fingerprint)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def _code_sha256() -> str:
    """Digest of the code that makes the cohort, whose change makes a cohort stale."""
    files = (demo_head.__file__, __file__)
    return hashlib.sha256(b"".join(Path(file).read_bytes() for file in files)).hexdigest()


def _is_made(folder: Path, fingerprint: dict[str, object]) -> bool:
    """Whether a finished cohort with these parameters is in the folder."""
    try:
        stored = json.loads((folder / FINGERPRINT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return stored == fingerprint and (folder / DATASET_FILE).is_file()


def _replace(target: Path, made: Path, stale: Path, fingerprint: dict[str, object]) -> None:
    """Put the finished folder in its place, unless another process has finished the same cohort first."""
    try:
        if target.exists():
            target.rename(stale)
        made.rename(target)
    except OSError:
        if not _is_made(target, fingerprint):
            raise


def _write_heads(folder: Path, num_subjects: int, seed: int, spacing_mm: float) -> None:
    """Write image and label of every subject, and the table of their ages and sexes."""
    generator = np.random.default_rng(seed)
    ages = np.round(generator.permutation(np.linspace(21.0, 79.0, num_subjects)), 1)
    rows = ["subject,age,sex"]
    for index, age in enumerate(tqdm(ages.tolist(), desc="making demo heads", unit="head")):
        subject = f"demo-{index + 1:02d}"
        head = demo_head.make_head(int(generator.integers(2**31)), age, spacing_mm)
        scale = generator.uniform(400.0, 1600.0)  # the unit of a T1-weighted image is the scanner's own
        orientation = ORIENTATIONS[index % len(ORIENTATIONS)]
        _save(folder / "images" / f"{subject}_T1w.nii.gz", np.rint(head.image * scale), head.affine, orientation)
        labels = demo_head.region_labels(head.label, spacing_mm)
        _save(folder / "labels" / f"{subject}_label.nii.gz", labels, head.affine, orientation)
        rows.append(f"{subject},{age},{'FM'[generator.integers(2)]}")
    (folder / "subjects.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _save(path: Path, volume: np.ndarray, affine: np.ndarray, orientation: str) -> None:
    """Save a right-anterior-superior volume in another axis order; integers, so that the bytes are reproducible."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(volume.astype(np.uint8 if volume.max() < 256 else np.int16), affine)
    turn = ornt_transform(io_orientation(affine), axcodes2ornt(orientation))
    nib.save(image.as_reoriented(turn), path)


def _describe(folder: Path, seed: int) -> None:
    """Write ``dataset.json`` as for any other cohort."""
    axcodes = plane_axcodes(PLANE)
    images = find_images(folder / "images", labels=folder / "labels").images
    examined = [examine(image, axcodes, RULE, folder / "masks" / f"{image.subject}_mask.nii.gz") for image in images]
    usable, threshold, _ = usable_images(examined, RULE)
    table = read_demographics(folder / "subjects.csv")
    cohort = describe_cohort(usable, table, folder, RULE, threshold, FRACTIONS, seed)
    facts = {"name": "demo", "description": f"{len(usable)} synthetic heads, ages and sexes invented", "plane": PLANE}
    write_json(folder / DATASET_FILE, {**facts, **cohort})
