# SPDX-License-Identifier: Apache-2.0
"""A cohort with region labels: small round brains of cortex, white matter and two ventricles."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np

from tests.helpers.volume_files import affine

SHAPE = (48, 20, 44)  # anterior to posterior, inferior to superior, left to right; 2 mm
PARTS = {"training": ("a", "b", "c"), "validation": ("d",), "test": ("e", "f")}
CORTEX, WHITE, LEFT_VENTRICLE, RIGHT_VENTRICLE = 100, 81, 52, 51


def write_labelled_cohort(folder: Path) -> Path:
    """Write six heads that differ in size, with label files and a dataset.json."""
    folder.mkdir(parents=True, exist_ok=True)
    cohort: dict = {"name": "labelled", "plane": "sagittal", "seed": 0, "selection": {"rule": "brain", "threshold": 1}}
    for part, subjects in PARTS.items():
        cohort[part] = []
        for subject in subjects:
            labels = _brain(np.random.default_rng(ord(subject)))
            image = np.select([labels == CORTEX, labels == WHITE, labels > 0], [300.0, 500.0, 100.0]).astype(np.float32)
            for name, volume in {subject: image, f"{subject}_label": labels}.items():
                nib.save(nib.Nifti1Image(volume, affine("PSR")), folder / f"{name}.nii.gz")
            cohort[part].append(
                {
                    "image": f"{subject}.nii.gz",
                    "label": f"{subject}_label.nii.gz",
                    "subject": subject,
                    "slices": [15, 20, 25],
                    "sha256": subject,
                }
            )
    (folder / "dataset.json").write_text(json.dumps(cohort))
    return folder


def _brain(rng: np.random.Generator) -> np.ndarray:
    x, y, z = np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in SHAPE], indexing="ij")
    size = np.array([22, 9, 20]) * rng.uniform(0.85, 1.0, 3)
    radius = np.sqrt((x / size[0]) ** 2 + (y / size[1]) ** 2 + (z / size[2]) ** 2)
    labels = np.zeros(SHAPE, np.int16)
    labels[radius < 1] = CORTEX
    labels[radius < 0.75] = WHITE
    for side, label in ((-1, LEFT_VENTRICLE), (1, RIGHT_VENTRICLE)):
        width = rng.uniform(2.5, 4.5)
        inside = (x / 8) ** 2 + (y / 4) ** 2 + ((z - side * 5) / width) ** 2 < 1
        labels[inside] = label
    return labels
