# SPDX-License-Identifier: Apache-2.0
"""Stacks of images as NIfTI files."""

from __future__ import annotations

import nibabel as nib
import numpy as np

from scripts.latent.figures import save_stack


def test_a_stack_keeps_anterior_and_right_where_they_are(tmp_path):
    masks = np.zeros((3, 8, 6), np.uint8)
    masks[2, 1, 4] = 3
    save_stack(masks, (4.0, 2.0), tmp_path / "stack.nii.gz")
    image = nib.load(tmp_path / "stack.nii.gz")
    assert image.shape == (8, 6, 3)
    assert nib.aff2axcodes(image.affine) == ("P", "L", "S")
    assert image.header.get_zooms() == (4.0, 2.0, 1.0)
    assert np.argwhere(image.get_fdata() == 3).tolist() == [[1, 4, 2]]
