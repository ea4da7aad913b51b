# SPDX-License-Identifier: Apache-2.0
"""Lines through the latent space, nearest masks, stacks."""

from __future__ import annotations

import nibabel as nib
import numpy as np

from scripts.latent import interpolation, nearest_masks, traversal
from scripts.latent.figures import save_stack


def test_interpolation_is_straight_and_holds_both_ends():
    first, last = np.array([0.0, 4.0]), np.array([1.0, 0.0])
    np.testing.assert_allclose(interpolation(first, last, 5)[[0, 1, 4]], [[0, 4], [0.25, 3], [1, 0]])
    many = interpolation(np.stack([first, last]), np.stack([last, first]), 3)
    np.testing.assert_allclose(many[:, 1], [[0.5, 2], [0.5, 2]])


def test_traversal_moves_one_dimension_only():
    codes = np.arange(6.0).reshape(2, 3)
    path = traversal(codes, 1, -1.0, 1.0, 3)
    np.testing.assert_allclose(path[1], [[3, -1, 5], [3, 0, 5], [3, 1, 5]])
    np.testing.assert_allclose(codes, np.arange(6.0).reshape(2, 3))  # the start is not changed


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


def test_a_stack_keeps_anterior_and_right_where_they_are(tmp_path):
    masks = np.zeros((3, 8, 6), np.uint8)
    masks[2, 1, 4] = 3
    save_stack(masks, (4.0, 2.0), tmp_path / "stack.nii.gz")
    image = nib.load(tmp_path / "stack.nii.gz")
    assert image.shape == (8, 6, 3)
    assert nib.aff2axcodes(image.affine) == ("P", "L", "S")
    assert image.header.get_zooms() == (4.0, 2.0, 1.0)
    assert np.argwhere(image.get_fdata() == 3).tolist() == [[1, 4, 2]]
