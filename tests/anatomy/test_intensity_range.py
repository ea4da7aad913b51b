# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from scripts.anatomy.intensity_range import hide, intensity_range
from tests.helpers.phantom import UNIT, brain, head, inside

AFFINE = [(1e-12, 0.0), (1e18, 0.0), (1.0, 5000.0), (0.01, -3.0), (1 / 300, -1.2)]


def with_holes(volume: np.ndarray, seed: int = 0) -> np.ndarray:
    """Squares of zeros in a fifth of the slices, and lost pixels."""
    rng, damaged = np.random.default_rng(seed), volume.copy()
    damaged[rng.random(volume.shape) < 0.02] = 0
    for k in range(0, volume.shape[2], 5):
        row, column = rng.integers(10, 45, 2)
        damaged[row : row + 20, column : column + 20, k] = 0
    return damaged


def outside_the_view() -> np.ndarray:
    """The corners that the field of view of a scanner leaves out."""
    rows, _, slices = np.ogrid[:72, :76, :60]
    return np.broadcast_to(np.hypot((rows - 35.5) / 38, (slices - 29.5) / 31) > 1, (72, 76, 60)) & ~inside()


def shifted(volume: np.ndarray, order: int = 3) -> np.ndarray:
    return ndimage.shift(volume.astype(np.float64), (0.3, 0.4, 0.2), order=order).astype(np.float32)


HEADS = {
    "bytes": head("bytes"),
    "magnitude": head("magnitude", 0.02),
    "gaussian": head("gaussian", 0.04),
    "holes": with_holes(head("magnitude", 0.02)),
    "stripped": np.where(brain(), head(), 0),
    "padded": np.where(outside_the_view(), -1024, head()).astype(np.float32),
    "NaN around": np.where(outside_the_view(), np.nan, head()).astype(np.float32),
    "dust": shifted(np.where(brain(), head(), 0)),
}


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize(("a", "b"), AFFINE)
def test_the_range_follows_every_change_of_the_intensities(kind, a, b):
    x = HEADS[kind].astype(np.float64)
    first, second = intensity_range(x), intensity_range(a * x + b)
    for name in ("low", "high", "most", "floor"):
        assert getattr(second, name) == pytest.approx(a * getattr(first, name) + b, abs=5e-5 * a * UNIT)
    assert np.count_nonzero(first.background != second.background) < 50


@pytest.mark.parametrize("kind", ["bytes", "stripped"])
def test_a_magnitude_image_keeps_its_zero_and_its_percentile(kind):
    found = intensity_range(HEADS[kind])
    assert (found.low, found.floor) == (0, 0)
    if kind == "bytes":
        assert found.high == float(np.percentile(HEADS[kind], (99.5,))[0])  # bit for bit
    assert found.high == pytest.approx(np.percentile(HEADS[kind], 99.5), rel=0.01)


def test_published_numbers_stay(real_data):
    """Percentile and zero of the heads that every published number was measured on."""
    for path in sorted((real_data / "ixi_hh_2mm/T1").glob("*.nii.gz"))[::10]:
        x = nib.load(path).get_fdata(dtype=np.float32)
        found = intensity_range(x)
        assert (found.low, found.high) == (0.0, float(np.percentile(x, (99.5,))[0]))


@pytest.mark.parametrize("upper", [60.0, 98.0, 99.0, 99.9])
def test_the_bright_end_is_numpys_percentile(upper):
    x = head("bytes")
    assert intensity_range(x, upper).high == float(np.percentile(x, (upper,))[0])


@pytest.mark.parametrize("std", [0.01, 0.04, 0.08, 0.15])
@pytest.mark.parametrize("noise", ["gaussian", "magnitude"])
def test_zero_is_the_centre_of_symmetric_noise_and_the_lower_end_of_skewed_noise(noise, std):
    for seed in range(3):
        found = intensity_range(head(noise, std, seed))
        assert abs(found.low) < (0.25 if noise == "gaussian" else 0.03) * std * UNIT


def test_holes_and_lost_pixels_show_zero_exactly():
    assert intensity_range(HEADS["holes"]).low == 0
    assert intensity_range(HEADS["holes"].astype(np.float64) / 300 - 1.2).low == -1.2


@pytest.mark.parametrize("value", [-1024, -32768, 32767, 0.5 * UNIT, np.nan, -np.inf])
@pytest.mark.parametrize("noise", ["bytes", "magnitude", "gaussian"])
def test_what_is_outside_the_field_of_view_is_background_and_does_not_count(value, noise):
    x, corners = head(noise, 0.02), outside_the_view()
    before, found = intensity_range(x), intensity_range(np.where(corners, value, x).astype(np.float32))
    np.testing.assert_array_equal(found.background & corners, corners)
    assert np.count_nonzero(found.background & inside()) < 1e-4 * found.background.size
    assert found.low == pytest.approx(before.low, abs=0.003 * UNIT)
    assert found.high == pytest.approx(before.high, rel=1e-3)


def test_two_values_of_padding_are_two_backgrounds():
    x, corners = head(), outside_the_view()
    x[corners] = -1024
    x[:, :5], x[:, -5:] = 32767, 32767
    found = intensity_range(x)
    np.testing.assert_array_equal(found.background & corners, corners)
    assert found.background[:, :5].all()
    assert found.background[:, -5:].all()
    assert found.high == pytest.approx(intensity_range(head()).high, rel=0.02)


def test_padding_does_not_drown_the_head():
    x = head("bytes")
    wide = np.pad(x, 40)
    assert np.percentile(wide, 99.5) < 0.85 * np.percentile(x, 99.5)
    assert intensity_range(wide).high > 0.89 * intensity_range(x).high


@pytest.mark.parametrize("value", [1, UNIT, -1000])
def test_a_frame_around_the_volume_is_background(value):
    x = head("bytes")
    frame = np.ones(x.shape, bool)
    frame[1:-1, 1:-1, 1:-1] = False
    x[frame] = value
    found = intensity_range(x)
    assert abs(found.low) <= 1
    assert value == found.low or found.background[frame].all()


@pytest.mark.parametrize(
    "change",
    [
        lambda z: np.where(brain(), z, 0),  # in the middle of the brain's range
        lambda z: np.where(brain(), z, np.nan),
        lambda z: np.where(brain(), z, z[brain()].min()),
        lambda z: np.where(brain(), z, -20),
        lambda z: np.where(brain(), z, 20),
    ],
)
def test_a_brain_that_was_scaled_by_itself_has_about_the_zero_of_the_head(change):
    x = head()
    mean, std = x[brain()].mean(), x[brain()].std()
    found = intensity_range(change((x - mean) / std).astype(np.float32))
    assert np.count_nonzero(found.background != ~brain()) < 300  # dark ones of its rim
    assert abs(found.low * std + mean) < 0.12 * UNIT
    assert found.high * std + mean == pytest.approx(np.percentile(np.where(brain(), x, 0), 99.5), rel=1e-2)


@pytest.mark.parametrize("order", [3, 5])
def test_the_dust_that_splines_leave_is_background(order):
    volume = shifted(np.where(brain(), head(), 0), order)
    far = ~ndimage.binary_dilation(brain(), iterations=3)
    assert np.count_nonzero(volume[far]) > 0.3 * np.count_nonzero(far)  # no exact zeros
    found = intensity_range(volume)
    assert found.background[far].mean() > 0.99
    assert not (found.background & ndimage.binary_erosion(brain(), iterations=2)).any()
    assert abs(found.low) < 0.001 * UNIT


def test_a_hole_that_touches_the_background_is_none_of_it():
    stripped = np.where(brain(), head(), 0)
    stripped[:, 30:44, 30] = 0  # a band through the brain, from background to background
    found = intensity_range(stripped)
    assert not (found.background & ndimage.binary_erosion(brain())).any()
    assert found.background[:4].all()


def test_dark_tissue_at_the_rim_of_exact_zeros_is_none_of_them():
    rim = ndimage.binary_dilation(brain(), iterations=3) & ~brain()
    rim[:, :40] = rim[:34] = rim[40:] = rim[..., 15:] = False  # a patch
    assert 50 < rim.sum() < 300
    stripped = np.where(brain(), head(), np.where(rim, 0.03 * UNIT, 0)).astype(np.float32)
    assert not (intensity_range(stripped).background & rim).any()


def test_a_defaced_head_has_background_in_its_noise():
    x = head("magnitude", 0.02)
    face = np.zeros(x.shape, bool)
    face[40:, 45:] = True
    x[face] = 0
    found = intensity_range(x)
    assert found.low == 0
    assert found.background[44:, 48:].all()
    assert x[found.background & ~face].max() < 0.05 * UNIT  # noise at its rim


def test_the_noise_of_a_scanner_is_no_background_but_its_zeros_are():
    for noise in ("magnitude", "gaussian"):
        assert np.count_nonzero(intensity_range(head(noise, 0.02)).background) < 5
    x = head("bytes")
    background = intensity_range(x).background
    far = ~ndimage.binary_dilation(inside(), iterations=6)
    assert background[far].sum() > 0.99 * np.count_nonzero(x[far] == 0)
    assert not (background & (x > 0)).any()


@pytest.mark.parametrize("factor", [4.0, 10.0])
def test_fat_does_not_darken_the_brain(factor):
    x = head()
    fat = inside() & ~ndimage.binary_dilation(brain(), iterations=2) & (x > 0.7 * UNIT)
    assert fat.mean() > 0.01
    bright = np.where(fat, factor * x, x)
    found, before = intensity_range(bright), intensity_range(x)
    assert found.high == pytest.approx(before.high, rel=0.2)
    assert found.most < 0.6 * before.most
    assert np.percentile(bright, 99.5) > 3 * np.percentile(x, 99.5)


def test_one_voxel_changes_nothing():
    x = head()
    for value in (10 * UNIT, -5 * UNIT):
        spoilt = x.copy()
        spoilt[36, 38, 30] = value  # among those from which the histogram is read
        found, before = intensity_range(spoilt), intensity_range(x)
        assert found.low == pytest.approx(before.low, abs=3e-4 * UNIT)
        assert found.high == pytest.approx(before.high, rel=1e-3)


def test_voxels_that_are_not_finite_are_background_around_the_head_only():
    x = head()
    x[2, 3, 4], x[5, 70, 55] = np.nan, np.inf
    background = intensity_range(x).background
    assert background[2, 3, 4]
    assert background[5, 70, 55]
    x[36, 38, 30] = x[36, 38, 31] = np.nan
    with pytest.raises(ValueError, match="2 voxels inside the head are NaN or infinite"):
        intensity_range(x)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_lost_slice_is_inside_the_head(axis):
    x = head()
    np.moveaxis(x, axis, 0)[35] = np.nan
    with pytest.raises(ValueError, match=f"{x.size // x.shape[axis]} voxels inside the head"):
        intensity_range(x)
    x = head()
    np.moveaxis(x, axis, 0)[:2] = np.nan
    np.moveaxis(x, axis, 0)[-3:] = np.nan
    assert np.count_nonzero(intensity_range(x).background) >= 5 * x.size // x.shape[axis]


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        (np.zeros((20, 20, 20), np.float32), "constant"),
        (np.full((20, 20, 20), np.nan, np.float32), "constant"),
        (np.where(np.arange(8000).reshape(20, 20, 20) == 4200, 1.0, 0.0), "nothing to restore|at least 0.5 %"),
    ],
)
def test_a_volume_without_contrast_is_refused(volume, message):
    with pytest.raises(ValueError, match=message):
        intensity_range(volume)


def test_infinite_voxels_around_a_head_are_background_as_nan_are():
    plain, lost = head(), outside_the_view()
    ranges = [intensity_range(np.where(lost, value, plain).astype(np.float32)) for value in (np.nan, np.inf, -np.inf)]
    for found in ranges[1:]:
        assert (found.low, found.high, found.floor) == (ranges[0].low, ranges[0].high, ranges[0].floor)
        np.testing.assert_array_equal(found.background, ranges[0].background)


def test_intensities_beyond_all_numbers_fit_no_scale():
    with pytest.raises(ValueError, match=r"reach from .* to .*e\+30\d: no scale fits"):
        intensity_range(head().astype(np.float64) * 1e304)


def test_a_mask_is_no_image():
    with pytest.raises(ValueError, match="two values, as those of a mask"):
        intensity_range(brain().astype(np.float32))


def test_tissue_that_shines_is_shown_as_bright_tissue_and_a_hot_voxel_as_its_neighbours():
    x = head()
    surface = inside() & ~ndimage.binary_erosion(inside(), iterations=2)
    x[surface] *= 20
    place = tuple(size // 2 for size in x.shape)
    x[place] = 1e3 * x.max()
    found = intensity_range(x)
    shown = ((x - found.low) / (found.high - found.low)).astype(np.float32)
    before = shown.copy()
    hidden = hide(shown, found)
    shining = before > (found.most - found.low) / (found.high - found.low)
    assert np.count_nonzero(shining) > 1000
    assert hidden[shining].all()
    assert shown[shining].max() == 1
    around = before[place[0] - 1 : place[0] + 2, place[1] - 1 : place[1] + 2, place[2]]
    assert shown[place] == np.sort(around, axis=None)[3]
    np.testing.assert_array_equal(shown[~hidden], before[~hidden])
