# SPDX-License-Identifier: Apache-2.0
"""A cohort of real files, small enough to train on in a second."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np

SHAPE = (32, 24, 5)  # anterior to posterior, inferior to superior, left to right
PARTS = {"training": ("a", "b", "c"), "validation": ("d",), "test": ("e",)}


def write_tiny_cohort(folder: Path, spacing_mm: float = 2.0) -> Path:
    """Write five smooth random heads and their dataset.json."""
    folder.mkdir(parents=True, exist_ok=True)
    affine = np.zeros((4, 4))
    affine[1, 0], affine[2, 1], affine[0, 2], affine[3, 3] = -spacing_mm, spacing_mm, spacing_mm, 1  # axes P, S, R
    cohort: dict = {"name": "tiny", "plane": "sagittal", "seed": 0, "selection": {"rule": "brain", "threshold": 1}}
    for part, subjects in PARTS.items():
        cohort[part] = []
        for subject in subjects:
            rng = np.random.default_rng(ord(subject))
            x, y, z = (np.linspace(-1, 1, n) for n in SHAPE)
            ball = np.exp(-2 * (x[:, None, None] ** 2 + y[None, :, None] ** 2 + z**2))
            volume = (500 * ball * (1 + 0.1 * rng.standard_normal(SHAPE))).clip(0).astype(np.float32)
            nib.save(nib.Nifti1Image(volume, affine), folder / f"{subject}.nii.gz")
            cohort[part].append(
                {"image": f"{subject}.nii.gz", "subject": subject, "slices": [1, 2, 3], "sha256": subject}
            )
    (folder / "dataset.json").write_text(json.dumps(cohort))
    return folder
