# SPDX-License-Identifier: Apache-2.0
"""Heads of boxes in boxes, whose measures are known: age and sex say how large the ventricle is."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np

from tests.helpers.volume_files import affine

CORTEX, WHITE, VENTRICLE = 100, 81, 51
SHAPE = (40, 16, 40)  # anterior to posterior, inferior to superior, left to right; 2 mm
BRAIN = (36, 12, 32)  # voxels
MM3 = 8


def box_head(ventricle: int, white: int = 20) -> np.ndarray:
    """Labels of a brain of 36 x 12 x 32 voxels, with a white box in it and in this a ventricle of a given length."""
    labels = np.zeros(SHAPE, np.int16)
    for label, size in ((CORTEX, BRAIN), (WHITE, (white, 10, white)), (VENTRICLE, (ventricle, 8, 8))):
        labels[tuple(slice((n - k) // 2, (n - k) // 2 + k) for n, k in zip(SHAPE, size, strict=True))] = label
    return labels


def write_box_cohort(folder: Path, heads: int = 36, without_age: int = 1) -> Path:
    """Write heads s00, s01, ... with ages from 20 to 80, women and men in turns, and a dataset.json."""
    folder.mkdir(parents=True, exist_ok=True)
    cohort: dict = {"name": "boxes", "plane": "sagittal", "seed": 0, "selection": {"rule": "brain", "threshold": 1}}
    cohort |= {"training": [], "validation": [], "test": []}
    rng = np.random.default_rng(0)
    for number in range(heads):
        name, age, sex = f"s{number:02d}", 20 + 60 * number / (heads - 1), "FM"[number % 2]
        length = 2 * round(4 + age / 20 + (sex == "M") + rng.uniform(-1, 1))
        labels = box_head(length, 18 + 2 * int(rng.integers(2)))
        nib.save(nib.Nifti1Image(labels, affine("PSR")), folder / f"{name}.nii.gz")
        item = {"image": f"{name}.nii.gz", "label": f"{name}.nii.gz", "subject": name, "slices": [20], "sha256": name}
        known = {"age": round(age, 2), "sex": sex, "site": "X"} if number >= without_age else {}
        cohort[("training", "validation", "test", "training")[number % 4]].append(item | known)
    (folder / "dataset.json").write_text(json.dumps(cohort))
    return folder
