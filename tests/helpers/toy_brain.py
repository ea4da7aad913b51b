# SPDX-License-Identifier: Apache-2.0
"""Brains made of ellipses, whose attributes are known, and a latent space in which codes are their axes."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np

SHAPE = (56, 48)
SPACING_MM = (4.0, 4.0)


def toy_slice(
    length: float = 80.0,
    width: float = 60.0,
    centre: tuple[float, float] = (0.0, 0.0),
    ventricle: float = 12.0,
    cortex: float = 0.2,
    shape: tuple[int, int] = SHAPE,
    spacing_mm: tuple[float, float] = SPACING_MM,
) -> np.ndarray:
    """An ellipse of white matter with a grey rim and two ventricles, right and left of the middle.

    Args:
        length, width: half axes in mm, along rows and columns.
        centre: mm below and to the right of the middle of the image.
        ventricle: half axis of each ventricle in mm; 0: none.
        cortex: thickness of the rim as a share of the half axes.
    """
    y = (np.arange(shape[0]) - (shape[0] - 1) / 2)[:, None] * spacing_mm[0] - centre[0]
    x = (np.arange(shape[1]) - (shape[1] - 1) / 2)[None] * spacing_mm[1] - centre[1]
    radius = np.hypot(y / length, x / width)
    classes = np.select([radius <= 1 - cortex, radius <= 1], [3, 2], 0).astype(np.uint8)
    if ventricle > 0:
        for side in (-1, 1):
            inside = np.hypot(y / ventricle, (x - side * 1.2 * ventricle) / (0.7 * ventricle)) <= 1
            classes[inside & (classes > 0)] = 1
    return classes


def toy_head(rng: np.random.Generator, count: int = 30) -> np.ndarray:
    """Slices of a head, ``(count, H, W)``: axes of the ellipses follow a sine along the levels."""
    level = (np.arange(count) + 0.5) / count
    size = 0.6 + 0.4 * np.sin(np.pi * level)
    length, width, ventricle = rng.normal((80, 62, 14), (2, 2, 1))
    return np.stack([toy_slice(length * s, width * s, ventricle=ventricle * s) for s in size])


def decode(codes: np.ndarray) -> np.ndarray:
    """Codes ``(n, 3)`` are half length, half width and half axis of the ventricles, in mm."""
    return np.stack([toy_slice(length, width, ventricle=ventricle) for length, width, ventricle in codes])


def encode(masks: np.ndarray) -> np.ndarray:
    """The axes of the ellipses with the spread and the ventricle area of the masks."""
    codes = []
    for mask in masks:
        y, x = np.nonzero(mask)
        ventricle = (mask == 1).sum() * 16 / (2 * np.pi * 0.7)
        codes.append((2 * y.std() * 4, 2 * x.std() * 4, np.sqrt(ventricle)))
    return np.array(codes)


def write_labels(path: Path, classes: np.ndarray, spacing_mm: float = 4.0, origin: float = 0.0) -> Path:
    """Write axial slices ``(D, H, W)`` as a volume of MUSE labels, axes P, S, R like the IXI files."""
    labels = np.array([0, 51, 100, 81], dtype=np.uint8)[classes]
    volume = labels.transpose(1, 0, 2)[:, :, ::-1]  # rows P, slices S, columns L turned to R
    affine = np.zeros((4, 4))
    affine[1, 0], affine[2, 1], affine[0, 2], affine[3, 3] = -spacing_mm, spacing_mm, spacing_mm, 1
    affine[:3, 3] = origin
    nib.save(nib.Nifti1Image(np.ascontiguousarray(volume), affine), path)
    return path


def write_toy_cohort(folder: Path, training: int = 5, test: int = 2, count: int = 12) -> Path:
    """Write toy heads of ``count`` slices as label files with their dataset.json."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    cohort: dict = {"name": "toy", "plane": "axial", "training": [], "validation": [], "test": []}
    for number in range(training + test):
        file = write_labels(folder / f"s{number}.nii.gz", toy_head(rng, count))
        item = {"image": file.name, "label": file.name, "subject": f"s{number}", "sha256": str(number)}
        cohort["training" if number < training else "test"].append(item)
    (folder / "dataset.json").write_text(json.dumps(cohort))
    return folder
