# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Flipd

from scripts.transforms import RestoreOnInputGridd, ScaleIntensityByVolumePercentiled
from scripts.transforms.restore_on_input_grid import NOTHING
from tests.helpers.phantom import SHAPE, UNIT, head

PREPROCESSING = Compose([Flipd("image", 0), ScaleIntensityByVolumePercentiled("image")])


def restored(volume: np.ndarray, change, preprocessing: Compose = PREPROCESSING) -> np.ndarray:
    """What becomes of a volume with a network that adds ``change`` to what it sees."""
    original = MetaTensor(torch.from_numpy(volume)[None])
    image = preprocessing({"image": original.clone()})["image"]
    item = {"image": image, "original": original.clone(), "pred": image.as_tensor() + change}
    return RestoreOnInputGridd(preprocessing)(item)["pred"].numpy()[0]


@pytest.mark.parametrize("value", [0.0, -0.0, -1024.0, 32767.0, np.nan, -np.inf])
def test_background_stays_bit_for_bit(value):
    axes = np.meshgrid(*[np.linspace(-1.25, 1.25, size) for size in SHAPE], indexing="ij")
    smooth = sum(axis**2 for axis in axes) < 0.66**2
    volume = np.where(smooth, head(), np.float32(value))
    result = restored(volume, 0.3)
    assert result[~smooth].tobytes() == volume[~smooth].tobytes()
    assert (result[smooth] > volume[smooth] + 0.2 * UNIT).mean() > 0.99


def test_zeros_of_the_air_stay_and_holes_are_filled():
    volume = head("bytes")
    volume[30:40, 30:40, 30] = 0
    zero, hole = volume == 0, np.zeros(volume.shape, bool)
    hole[30:40, 30:40, 30] = True
    change = np.full(volume.shape, 0.9 * NOTHING, np.float32)
    change[hole] = 0.6
    result = restored(volume, torch.from_numpy(change[None, ::-1].copy()))
    assert not result[zero & ~hole].any()
    np.testing.assert_allclose(result[hole], 0.6 * np.percentile(volume, 99.5), rtol=1e-4)
    assert (result[~zero] > volume[~zero]).all()


@pytest.mark.parametrize("offset", [0.0, -300.0])
def test_nothing_gets_darker_than_nothing(offset):
    volume = head("bytes") + np.float32(offset)
    assert restored(volume, -0.5).min() == offset
    noisy = head("gaussian", 0.04) + np.float32(offset)
    result = restored(noisy, -0.5)
    darker = noisy < offset - 0.02 * UNIT
    np.testing.assert_array_equal(result[darker], noisy[darker])  # what was so before stays
    assert result.min() == noisy.min()


def test_without_a_scale_the_correction_is_added():
    volume = head()
    np.testing.assert_allclose(restored(volume, -5.0, Compose([Flipd("image", 0)])), volume - 5, atol=1e-3)
