# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import torch

from scripts.transforms import KeepZeroBackgroundd, zero_background


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
