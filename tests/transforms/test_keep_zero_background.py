# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from scripts.transforms import KeepZeroBackgroundd, zero_background
from scripts.transforms.keep_zero_background import large_regions


def head(shape: tuple[int, int, int] = (60, 52, 5)) -> np.ndarray:
    """A disc of tissue in each slice, zeros around it."""
    rows, columns, _ = np.ogrid[:60, :52, :5]
    disc = (rows - 30) ** 2 + (columns - 26) ** 2 < 15**2
    return np.broadcast_to(disc, shape) * np.random.default_rng(0).uniform(0.2, 1.0, shape)


def test_the_zeros_around_a_stripped_head_are_background_and_a_hole_in_it_is_not():
    volume = head()
    surrounding = volume == 0
    volume[25:35, 20:30, 2] = 0.0
    found = zero_background(volume, largest_hole=15)
    np.testing.assert_array_equal(found, surrounding)


@pytest.mark.parametrize("share", [0.0, 0.35, 0.55, 0.8, 1.0])
@pytest.mark.parametrize("size", [0, 1, 20])
def test_regions_are_those_that_scipy_finds(share, size):
    mask = np.random.default_rng(int(100 * share)).random((4, 23, 17)) < share
    in_plane = np.zeros((3, 3, 3), dtype=bool)
    in_plane[1] = ndimage.generate_binary_structure(2, 1)
    regions, _ = ndimage.label(mask, in_plane)
    large = (np.bincount(regions.ravel()) > size)[regions] & mask
    np.testing.assert_array_equal(large_regions(mask, size), large)


def test_a_winding_region_is_one():
    wall = np.zeros((1, 41, 41), dtype=bool)
    wall[0, 1::4, :-1] = wall[0, 3::4, 1:] = True  # the way between the walls goes to and fro
    assert large_regions(~wall, (~wall).sum() - 1).sum() == (~wall).sum()
    wall[0, 19, :] = True
    assert not large_regions(~wall, (~wall).sum() - 1).any()


def test_an_image_from_a_scanner_has_no_background_to_keep():
    volume = head()
    noise = np.random.default_rng(1).uniform(0, 0.015, volume.shape)
    volume = np.where((volume == 0) & (noise > 0.012), noise, volume)  # a fifth of the air is not zero
    assert not zero_background(volume, largest_hole=15).any()


def test_predictions_are_zero_there_and_kept_elsewhere():
    image = torch.tensor(head())[None]
    pred = image + 0.1
    restored = KeepZeroBackgroundd(keys="pred", largest_hole=15)({"pred": pred.clone(), "image": image})["pred"]
    assert torch.equal(restored[image == 0], image[image == 0])
    assert torch.equal(restored[image > 0], pred[image > 0])
