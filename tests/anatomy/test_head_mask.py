# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_otsu

from scripts.anatomy.head_mask import head_mask


def ball(shape=(33, 29, 25), radius=10):
    axes = np.meshgrid(*[np.arange(n) - n // 2 for n in shape], indexing="ij")
    return sum(a**2 for a in axes) <= radius**2


def test_head_mask_finds_a_noisy_ball_with_a_cavity():
    head = ball()
    blurred = gaussian_filter(np.where(head & ~ball(radius=3), 100.0, 0.0), 1.0)  # partial volumes, as in a real head
    mask = head_mask(blurred + np.abs(np.random.default_rng(0).normal(0, 3, head.shape)))
    assert mask.dtype == bool
    overlap = 2 * (mask & head).sum() / (mask.sum() + head.sum())
    assert overlap > 0.85  # half of the threshold keeps the blurred rim
    assert mask[16, 14, 12]  # the cavity is filled


def test_head_mask_does_not_depend_on_scale_bright_spots_or_container():
    image = np.where(ball(), 100.0, 0.0) + np.random.default_rng(0).random((33, 29, 25))
    spotted = image.copy()
    spotted[16, 14, :5] = 1e5
    expected = head_mask(image)
    np.testing.assert_array_equal(head_mask(torch.from_numpy(image * 0.01)), expected)
    np.testing.assert_array_equal(head_mask(spotted)[..., 6:], expected[..., 6:])


@pytest.mark.parametrize(("skin", "kept"), [(20.0, False), (27.0, True)])
def test_the_threshold_is_half_of_otsus(skin, kept):
    rng = np.random.default_rng(0)
    inner = ball(radius=9)
    image = np.where(inner, rng.uniform(30, 130, inner.shape), rng.uniform(0, 4, inner.shape))
    image[ball(radius=11) & ~inner] = skin
    level = skin / threshold_otsu(image)
    assert 0.5 < level < 0.65 if kept else 0.35 < level < 0.5
    np.testing.assert_array_equal(head_mask(image), ball(radius=11) if kept else inner)


def test_head_mask_keeps_a_head_that_is_cut_by_the_border():
    image = np.zeros((20, 20, 11))
    image[5:, 5:15] = 1.0
    np.testing.assert_array_equal(head_mask(image), image > 0)


def test_head_mask_keeps_only_the_largest_piece():
    image = np.where(ball(), 1.0, 0.0)
    image[:2, :2, :2] = 1.0
    assert not head_mask(image)[:2, :2, :2].any()


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        (np.zeros((3, 4)), r"shape \(H, W, D\), got \(3, 4\)"),
        (np.full((3, 4, 5), 2.0), "constant volume of value 2"),
        (np.full((3, 4, 5), np.nan), "finite intensities"),
    ],
)
def test_head_mask_refuses(volume, message):
    with pytest.raises(ValueError, match=message):
        head_mask(volume)


def test_head_mask_of_real_heads_holds_the_brain_and_leaves_the_air(real_data):
    for path in sorted((real_data / "ixi_hh_2mm" / "T1").glob("*.nii.gz"))[:2]:
        label = path.parent.parent / "labels" / path.name.replace(".nii.gz", "_DLMUSE.nii.gz")
        brain = nib.load(label).get_fdata() > 0
        mask = head_mask(nib.load(path).get_fdata())
        assert mask[brain].mean() > 0.995
        assert 0.2 < mask.mean() < 0.6
