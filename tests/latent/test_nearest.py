# SPDX-License-Identifier: Apache-2.0
"""The nearest training masks, and the level of masks that come from no head."""

from __future__ import annotations

import numpy as np

from scripts.latent import nearest_masks
from scripts.latent.nearest import LevelRegression


def test_nearest_mask_and_the_share_that_differs():
    rng = np.random.default_rng(0)
    training = rng.integers(0, 4, (30, 6, 5)).astype(np.uint8)
    masks = training[[7, 21, 7]].copy()
    masks[1, 0, :2] = (masks[1, 0, :2] + 1) % 4  # two pixels
    index, difference = nearest_masks(masks, training)
    assert index.tolist() == [[7], [21], [7]]
    assert nearest_masks(masks, training, 3)[0].shape == (3, 3)
    brain = ((masks[1] > 0) | (training[21] > 0)).sum()
    np.testing.assert_allclose(difference, [0, 2 / brain, 0])


def test_nearest_of_nothing_is_nothing():
    index, difference = nearest_masks(np.zeros((0, 6, 5), np.uint8), np.zeros((2, 6, 5), np.uint8))
    assert len(index) == len(difference) == 0


def disks(radii: np.ndarray) -> np.ndarray:
    rows, columns = np.mgrid[:24, :24] - 11.5
    return (np.hypot(rows, columns)[None] < radii[:, None, None]).astype(np.uint8) * 3


def test_levels_of_unseen_masks_are_told_from_their_size():
    training = np.linspace(3, 11, 60)
    regression = LevelRegression(disks(training), (training - 3) / 8)
    unseen = np.linspace(3.5, 10.5, 15)
    np.testing.assert_allclose(regression(disks(unseen)), (unseen - 3) / 8, atol=0.04)  # half a pixel is .06


def test_levels_rise_and_stay_between_the_ends():
    training = np.linspace(3, 11, 60)
    regression = LevelRegression(disks(training), np.linspace(0, 1, 60))
    levels = regression(disks(np.linspace(4, 10, 7)))
    assert (np.diff(levels) > 0).all()
    assert regression(disks(np.array([1.0, 16.0]))).min() >= 0
    assert regression(disks(np.array([1.0, 16.0]))).max() <= 1
