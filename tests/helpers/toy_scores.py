# SPDX-License-Identifier: Apache-2.0
"""Heads on the grid of detectors, and scores of healthy ones, small enough for tests."""

from __future__ import annotations

import numpy as np
import torch
from monai.data import MetaTensor

from scripts.anomaly import Calibration, Head, HealthyScores

SHAPE = (52, 60, 44)
CENTRE = np.array([26.0, 30.0, 22.0])


def ipr_affine() -> np.ndarray:
    """2 mm voxels, axes inferior, posterior, right."""
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = -2, -2, 2, 1
    affine[:3, 3] = [-43, 60, 51]
    return affine


def toy_head(seed: int = 0, lesion: float = 0.0) -> Head:
    """A folded ellipsoid with noise; a lesion, if any, is 6 voxels wide and right of the middle."""
    rng = np.random.default_rng(seed)
    grid = np.indices(SHAPE) - CENTRE[:, None, None, None]
    radius = np.sqrt(np.square(grid / np.array([21, 25, 18])[:, None, None, None]).sum(axis=0))
    phases = rng.uniform(0, 2 * np.pi, 3)
    folds = np.prod([np.sin(part / 2 + phase) for part, phase in zip(grid, phases, strict=True)], axis=0)
    image = np.where(radius < 1, 0.6 + 0.2 * np.clip(folds, -1, 0) + 0.02 * rng.standard_normal(SHAPE), 0)
    image[lesion_mask()] += lesion
    return Head(torch.from_numpy(image).float().clamp(min=0), torch.from_numpy(radius < 1), ipr_affine())


def lesion_mask() -> np.ndarray:
    grid = np.indices(SHAPE) - CENTRE[:, None, None, None] - np.array([0, 6, 8])[:, None, None, None]
    return np.square(grid).sum(axis=0) < 9


def toy_volume(head: Head) -> MetaTensor:
    return MetaTensor(head.image[None], affine=torch.from_numpy(head.affine))


def toy_calibration(detector: object, number: int = 20) -> Calibration:
    heads = [toy_head(100 + seed) for seed in range(number)]
    return Calibration.learn([HealthyScores(detector(one)[one.brain].numpy(), one.brain) for one in heads], "toy")
