# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor, decollate_batch, list_data_collate
from monai.transforms import Compose, Invertd

from scripts.transforms.volume_scale import DIFFERENCE, ScaleIntensityByVolumePercentiled, volume_range


def volume(seed: int = 0, offset: float = 0.0) -> MetaTensor:
    """Noise of odd size with a zero background."""
    values = np.random.default_rng(seed).gamma(2.0, 300.0, (1, 17, 19, 23)) + offset
    values[:, :5] = 0.0
    return MetaTensor(torch.as_tensor(values, dtype=torch.float32))


def test_range_is_the_percentiles_of_the_whole_volume():
    x = volume()
    low, high = volume_range(x)
    assert low == 0.0
    assert high == pytest.approx(np.percentile(x.numpy(), 99.5), rel=1e-6)


def test_zero_stays_exactly_zero_and_nothing_is_clipped():
    scaled = ScaleIntensityByVolumePercentiled(keys="image")({"image": volume()})["image"]
    assert torch.count_nonzero(scaled[:, :5]) == 0
    assert scaled.max() > 1.0
    assert float(np.percentile(scaled.numpy(), 99.5)) == pytest.approx(1.0, rel=1e-6)


def test_noise_around_zero_does_not_move_zero():
    x = volume()
    noisy = x + 0.08 * float(np.percentile(x, 99.5)) * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    noisy[:, 10:, 5:9, 5:9] = 0.0  # a hole
    assert noisy.min() < 0
    scaled = ScaleIntensityByVolumePercentiled(keys="image")({"image": noisy})["image"]
    assert torch.count_nonzero(scaled[:, 10:, 5:9, 5:9]) == 0


def test_an_offset_below_zero_moves_the_lower_end():
    scaled = ScaleIntensityByVolumePercentiled(keys="image")({"image": volume(offset=-900.0)})["image"]
    assert float(np.percentile(scaled.numpy(), 0.5)) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("offset", [0.0, -900.0, 5000.0])
def test_inverse_returns_the_input(offset):
    transform = ScaleIntensityByVolumePercentiled(keys="image")
    x = volume(offset=offset)
    back = transform.inverse(transform({"image": x}))["image"]
    assert back.applied_operations == []
    torch.testing.assert_close(back.as_tensor(), x.as_tensor(), rtol=1e-6, atol=1e-6 * float(x.abs().max()))


def test_invertd_undoes_it_on_another_key_after_collating():
    transform = Compose([ScaleIntensityByVolumePercentiled(keys="image")])
    batch = list_data_collate([transform({"image": volume(1)}), transform({"image": volume(2)})])
    batch["pred"] = batch["image"].clone()
    items = [Invertd(keys="pred", transform=transform, orig_keys="image")(item) for item in decollate_batch(batch)]
    for seed, item in zip((1, 2), items, strict=True):
        torch.testing.assert_close(item["pred"].as_tensor(), volume(seed).as_tensor(), rtol=1e-5, atol=1e-3)


def test_integers_become_float32():
    x = MetaTensor(volume().as_tensor().to(torch.int16))
    assert ScaleIntensityByVolumePercentiled(keys="image")({"image": x})["image"].dtype == torch.float32


def test_a_plain_array_is_accepted():
    assert isinstance(ScaleIntensityByVolumePercentiled(keys="image")({"image": volume().numpy()})["image"], MetaTensor)


def test_an_empty_volume_is_refused():
    with pytest.raises(ValueError, match=r"99\.5th percentile is 0, not above 0"):
        volume_range(torch.zeros(1, 17, 19, 23))


def test_percentiles_out_of_order_are_refused():
    with pytest.raises(ValueError, match="got lower=99 and upper=1"):
        ScaleIntensityByVolumePercentiled(keys="image", lower=99, upper=1)


def test_a_difference_comes_back_without_the_offset():
    transform = ScaleIntensityByVolumePercentiled(keys="image")
    scaled = transform({"image": volume(offset=-900.0)})["image"]
    low, high = volume_range(volume(offset=-900.0))
    difference = scaled.clone()
    difference.applied_operations = list(scaled.applied_operations)
    difference.meta[DIFFERENCE] = True
    restored = transform.inverse({"image": difference})["image"]
    torch.testing.assert_close(restored.as_tensor(), scaled.as_tensor() * (high - low))
