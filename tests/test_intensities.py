# SPDX-License-Identifier: Apache-2.0
"""Heads in every unit and in every surrounding, through the whole inference with the shipped weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

import scripts as brain_ae
from scripts.anatomy.head_mask import head_mask

Volume = NDArray[np.floating]
SAME = 0.1
"""Decibels."""

UNITS: dict[str, Callable[[Volume], tuple[float, float]]] = {
    "z-score": lambda x: (1 / x.std(), -x.mean() / x.std()),
    "-1 to 1": lambda x: (2 / np.ptp(x), -2 * x.min() / np.ptp(x) - 1),
    "tiny": lambda x: (1e-12, 0),
    "huge": lambda x: (1e18, 0),
    "offset": lambda x: (1, 5000),
    "far offset": lambda x: (1, 1e9),
}


@cache
def restorer() -> brain_ae.Restorer:
    return brain_ae.Restorer(device="cpu", amp=False)


def restored(volume: Volume, affine: NDArray[np.float64]) -> Volume:
    return np.asarray(restorer()(nib.Nifti1Image(volume, affine)).dataobj)


def decibel(volume: Volume, clean: Volume, where: NDArray[np.bool_]) -> float:
    error = (volume - clean.astype(np.float64))[where] / np.percentile(clean, 99.5)
    return float(-10 * np.log10(np.mean(error**2)))


class Head:
    """A head, damaged, with what is expected of its restoration."""

    def __init__(self, image: nib.Nifti1Image) -> None:
        self.affine = image.affine
        self.clean = image.get_fdata(dtype=np.float32)
        self.damaged = brain_ae.damage(image).get_fdata(dtype=np.float32)
        self.bright = float(np.percentile(self.clean, 99.5))
        self.mask = head_mask(self.clean)
        self.expected = decibel(self.restored(self.damaged), self.clean, self.mask)

    def restored(self, volume: Volume) -> Volume:
        return restored(volume, self.affine)

    def corners(self) -> NDArray[np.bool_]:
        """What a scanner's field of view leaves out."""
        axes = np.meshgrid(*[np.linspace(-1, 1, size) for size in self.clean.shape], indexing="ij")
        return (np.hypot(axes[0], axes[1]) > 1.05) & ~ndimage.binary_dilation(self.mask, iterations=2)

    def brain(self) -> NDArray[np.bool_]:
        return ndimage.binary_erosion(self.mask, iterations=10)


@pytest.fixture(scope="module")
def demo() -> Head:
    return Head(brain_ae.demo_head())


def check_units(head: Head) -> None:
    """(restored(a x + b) - b) / a has the PSNR of restored(x)."""
    for a, b in (make(head.damaged.astype(np.float64)) for make in UNITS.values()):
        changed = a * head.damaged.astype(np.float64) + b
        result = (head.restored(changed if b > 1e6 else changed.astype(np.float32)).astype(np.float64) - b) / a
        assert abs(decibel(result, head.clean, head.mask) - head.expected) < SAME


def test_a_head_is_restored_alike_in_every_unit(demo):
    assert demo.expected > 24  # it is restored
    check_units(demo)


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.uint8])
def test_a_head_is_restored_alike_from_integers(demo, dtype):
    """Of 8 bits, 1 percent of the bright end apart, it is as good as its grey levels."""
    low, high = demo.damaged.min(), np.percentile(demo.damaged, 99.9)
    levels = np.iinfo(dtype)
    step = (high - low) / (0.8 * (levels.max - levels.min))
    stored = np.round((demo.damaged.clip(None, high) - low) / step + levels.min + 20).astype(dtype)
    image = nib.Nifti1Image(stored, demo.affine)
    image.header.set_slope_inter(0.5, 7)
    result = (np.asarray(restorer()(image).dataobj, dtype=np.float64) - 7) / 0.5
    back = (result - levels.min - 20) * step + low
    assert abs(decibel(back, demo.clean, demo.mask) - demo.expected) < (3 * SAME if dtype == np.uint8 else SAME)


@pytest.mark.slow
def test_real_heads_are_restored_alike_in_every_unit(real_data):
    for path in _paths(real_data)[::6][:30]:
        check_units(Head(nib.load(path)))


def test_a_real_head_is_restored_alike_in_every_unit(real_data):
    check_units(Head(nib.load(_paths(real_data)[5])))


def _paths(real_data: Path) -> list[Path]:
    return sorted((real_data / "ixi_hh_2mm/T1").glob("*.nii.gz"))


@pytest.mark.parametrize("value", [-1024, -32768, 32767, np.nan, -np.inf])
def test_padding_is_kept_and_disturbs_nothing(demo, value):
    corners = demo.corners()
    assert corners.mean() > 0.05
    volume = np.where(corners, value, demo.damaged).astype(np.float32)
    result = demo.restored(volume)
    assert result[corners].tobytes() == volume[corners].tobytes()
    assert abs(decibel(result, demo.clean, demo.mask) - demo.expected) < SAME


def test_a_hot_voxel_changes_itself_and_its_neighbours_only(demo):
    place = tuple(size // 2 for size in demo.clean.shape)
    volume = demo.clean.copy()
    volume[place] = 10 * demo.bright
    change = abs(demo.restored(volume) - demo.restored(demo.clean)) > 0.05 * demo.bright
    change[tuple(slice(index - 1, index + 2) for index in place)] = False
    assert not change.any()


def test_what_surrounds_a_stripped_brain_stays(demo):
    brain = demo.brain()
    stripped = np.where(brain, demo.clean, 0)
    result = demo.restored(stripped)
    assert np.count_nonzero(result[~brain]) < 20
    mean, std = demo.clean[brain].mean(), demo.clean[brain].std()
    scaled = np.where(brain, (demo.clean - mean) / std, 0).astype(np.float32)  # 0 lies in the middle of the brain
    again = demo.restored(scaled)
    assert not again[~brain].any()
    core = ndimage.binary_erosion(brain, iterations=2)
    assert decibel(again * std + mean, result, core) > 35


def test_no_skull_is_drawn_around_a_brain_that_splines_resampled(demo):
    stripped = np.where(demo.brain(), demo.clean, 0).astype(np.float64)
    shifted = ndimage.shift(stripped, (0.3, 0.4, 0.2), order=3).astype(np.float32)
    around = ~ndimage.binary_dilation(demo.brain(), iterations=2)
    assert np.count_nonzero(shifted[around]) > 10_000
    drawn = abs(demo.restored(shifted) - shifted) > 0.05 * demo.bright
    assert np.count_nonzero(drawn[around]) < 50


def test_the_zeros_of_a_whole_head_stay_and_nothing_becomes_negative(demo):
    volume = demo.clean.copy()
    volume[volume < 0.01 * demo.bright] = 0
    result = demo.restored(volume)
    assert np.count_nonzero(result[volume == 0]) < 1e-3 * np.count_nonzero(volume == 0)
    assert result.min() == 0


def test_a_bright_coil_or_fat_does_not_hide_the_damage_of_the_brain(demo):
    brain = demo.brain()
    fat = demo.mask & ~ndimage.binary_dilation(brain, iterations=3) & (demo.clean > 0.7 * demo.bright)
    assert fat.sum() > 0.01 * fat.size
    gain = np.where(fat, 5, 1).astype(np.float32)
    expected = decibel(demo.restored(demo.damaged), demo.clean, brain)
    assert decibel(demo.restored(demo.damaged * gain) / gain, demo.clean, brain) > expected - 1.5
