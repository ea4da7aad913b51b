# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor, decollate_batch, list_data_collate
from monai.transforms import Compose, Invertd

from scripts.transforms.volume_scale import (
    DIFFERENCE,
    ScaleIntensityByVolumePercentiled,
    applied_range,
    volume_range,
)
from tests.helpers.phantom import UNIT, brain, head


def volume(seed: int = 0, a: float = 1.0, b: float = 0.0, dtype: torch.dtype = torch.float32) -> MetaTensor:
    """A stripped head on any scale."""
    stripped = np.where(brain(seed), head(seed=seed), 0).astype(np.float64)
    return MetaTensor(torch.as_tensor(a * stripped + b, dtype=dtype)[None])


SCALE = ScaleIntensityByVolumePercentiled(keys="image")


def scale(x):
    return SCALE({"image": x})["image"]


def unscale(x):
    return SCALE.inverse({"image": x})["image"]


def difference(scaled: MetaTensor, values: torch.Tensor) -> MetaTensor:
    made = MetaTensor(values, meta=dict(scaled.meta), applied_operations=list(scaled.applied_operations))
    made.meta[DIFFERENCE] = True
    return made


def test_range_is_zero_and_the_percentile_of_the_whole_volume():
    x = torch.from_numpy(head("bytes"))[None]
    assert volume_range(x) == (0.0, float(np.percentile(x.numpy(), (99.5,))[0]))


def test_zero_stays_exactly_zero_and_nothing_of_a_head_is_clipped():
    x = MetaTensor(torch.from_numpy(head("bytes"))[None])
    scaled = scale(x)
    assert torch.equal(scaled == 0, x == 0)
    assert scaled.max() > 1.0
    low, high = volume_range(x)
    assert torch.equal(scaled.as_tensor(), (x.as_tensor() - low) / (high - low))


@pytest.mark.parametrize(("a", "b"), [(1e-12, 0.0), (1e18, 0.0), (1.0, -900.0), (0.01, 5.0)])
def test_a_head_looks_the_same_on_any_scale(a, b):
    torch.testing.assert_close(scale(volume(a=a, b=b)).as_tensor(), scale(volume()).as_tensor(), rtol=0, atol=2e-4)


def test_a_large_offset_is_taken_off_in_double_precision():
    scaled = scale(volume(b=1e9, dtype=torch.float64))
    assert scaled.dtype == torch.float32
    torch.testing.assert_close(scaled.as_tensor(), scale(volume()).as_tensor(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("b", [0.0, -900.0, 5000.0])
def test_inverse_returns_the_input(b):
    x = volume(b=b)
    back = unscale(scale(x))
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
    assert scale(MetaTensor(volume().as_tensor().to(torch.int16))).dtype == torch.float32


def test_a_plain_array_is_accepted():
    assert isinstance(scale(volume().numpy()), MetaTensor)


def test_the_percentile_must_be_one():
    with pytest.raises(ValueError, match="got 101"):
        ScaleIntensityByVolumePercentiled(keys="image", upper=101)


def test_a_difference_comes_back_without_the_offset_and_is_nothing_in_the_background():
    scaled = scale(volume(b=-900.0))
    low, high = volume_range(volume(b=-900.0))
    restored = unscale(difference(scaled, torch.full_like(scaled.as_tensor(), 0.25)))
    hidden = applied_range(scaled)["hidden"]
    assert hidden[0].numpy().sum() > 0.99 * np.count_nonzero(~brain())
    assert torch.signbit(restored[hidden]).all()  # -0.0: added to 0.0 or -0.0, it changes neither
    assert not restored[hidden].any()
    np.testing.assert_allclose(restored[~hidden], 0.25 * (high - low), rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1024.0])
def test_a_background_becomes_nothing(value):
    x = volume()
    background = x == 0
    x[background] = value
    scaled = scale(x)
    assert not scaled[background].any()
    np.testing.assert_allclose(scaled[~background], scale(volume())[~background], atol=0.15)


@pytest.mark.parametrize("value", [10 * UNIT, -5 * UNIT])
@pytest.mark.parametrize("place", [(0, 36, 38, 30), (0, 36, 38, 0), (0, 71, 0, 59)])
def test_a_hot_voxel_is_hidden_and_stays(place, value):
    x = MetaTensor(torch.from_numpy(head())[None])
    hot = x.clone()
    hot[place] = value
    before, scaled = scale(x), scale(hot)
    torch.testing.assert_close(scaled.as_tensor(), before.as_tensor(), rtol=0, atol=0.1)
    scaled[place] = before[place]
    torch.testing.assert_close(scaled.as_tensor(), before.as_tensor(), rtol=0, atol=1e-3)
    correction = unscale(difference(scaled, torch.ones_like(scaled.as_tensor())))
    assert correction[place] == 0
    assert torch.count_nonzero(correction == 0) < 5


def test_what_is_far_too_bright_or_dark_is_shown_as_bright_tissue_and_as_nothing():
    x = MetaTensor(torch.from_numpy(head())[None])
    bright, dark = (0, slice(30, 33), slice(30, 33), slice(30, 33)), (0, slice(40, 43), slice(30, 33), slice(30, 33))
    x[bright], x[dark] = 10 * UNIT, -3 * UNIT
    scaled = scale(x)
    assert (float(scaled[bright][1, 1, 1]), float(scaled[dark][1, 1, 1])) == (1.0, 0.0)
    assert scaled.max() <= 3.5


def test_a_volume_that_was_not_scaled_has_no_range():
    assert applied_range(volume()) is None


def test_ranges_beyond_float32_come_back():
    volume = MetaTensor(torch.rand(1, 6, 7, 8, dtype=torch.float64) * 2e41)
    scale = ScaleIntensityByVolumePercentiled(keys="image")
    scaled = scale({"image": volume.clone()})
    assert scaled["image"].dtype == torch.float32
    torch.testing.assert_close(scale.inverse(scaled)["image"].as_tensor(), volume.as_tensor(), rtol=1e-6, atol=1e34)
