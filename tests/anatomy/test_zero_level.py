# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from scripts.anatomy.zero_level import zero_level


def histogram(noise, tissue=40_000, air=60_000, seed=0):
    """Air of the given noise below tissue from 0.1 to 1, ascending."""
    rng = np.random.default_rng(seed)
    return np.sort(np.r_[noise(rng, air), rng.normal(0.65, 0.15, tissue).clip(0.1, 1.2)])


def rayleigh(rng, size, std=0.05):
    return rng.rayleigh(std, size)


def gaussian(rng, size, std=0.05):
    return rng.normal(0, std, size)


def brain(seed=0):
    rng = np.random.default_rng(seed)
    parts = (rng.normal(0.2, 0.05, 5_000), rng.normal(0.6, 0.08, 50_000), rng.normal(0.85, 0.06, 45_000))
    return np.sort(np.concatenate(parts))


@pytest.mark.parametrize("std", [0.005, 0.02, 0.05, 0.1])
def test_zero_is_the_lower_end_of_skewed_noise_and_the_peak_of_symmetric_noise(std):
    for seed in range(3):
        assert zero_level(histogram(lambda *a: rayleigh(*a, std), seed=seed), {}) == pytest.approx(0, abs=0.02 * std)
        assert zero_level(histogram(lambda *a: gaussian(*a, std), seed=seed), {}) == pytest.approx(0, abs=0.3 * std)


def test_a_voxel_far_below_the_darkest_grey_level_changes_nothing():
    """Of grey levels of which the lowest is the commonest, the voxels below the peak lie no distance from it."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        air, tissue = np.abs(rng.normal(0, 15, 3_300)).astype(int), rng.normal(500, 80, 2_500)
        without = zero_level(np.sort(np.r_[air, tissue]), {})
        assert zero_level(np.sort(np.r_[-32756.0, air, tissue]), {}) == pytest.approx(without, abs=15)


def test_grey_levels_have_the_darkest_as_zero():
    assert zero_level(histogram(lambda *a: np.floor(rayleigh(*a) / 0.04) * 0.04), {}) == 0
    assert zero_level(histogram(lambda *a: gaussian(*a).clip(0)), {}) == 0
    assert zero_level(histogram(lambda *a: np.rint(gaussian(*a) / 0.02) * 0.02), {}) == pytest.approx(0, abs=0.02)


def test_an_outlier_is_no_lower_end():
    ordered = histogram(rayleigh)
    ordered[:20] = -1
    assert zero_level(ordered, {}) == pytest.approx(0, abs=0.002)


def test_a_constant_within_the_noise_is_zero_and_one_far_away_is_not():
    ordered = histogram(gaussian)
    alone = zero_level(ordered, {})
    assert zero_level(ordered, {0.01: 5_000}) == 0.01
    assert zero_level(ordered, {-3.0: 90_000}) == zero_level(ordered, {0.6: 90_000}) == alone
    assert zero_level(ordered, {-3.0: 90_000, 0.01: 5_000, 0.02: 500}) == 0.01


def test_what_is_just_below_the_air_is_its_zero():
    assert zero_level(histogram(lambda rng, size: 0.06 + 0 * rayleigh(rng, size)), {0.02: 100, -0.1: 900}) == 0.02


def test_a_brain_has_the_constant_around_it_if_that_is_dark():
    ordered = brain()
    assert zero_level(ordered, {0.0: 9_000, 0.02: 90}) == 0.0
    assert zero_level(0.4 * ordered + 0.6, {0.4: 9_000}) == 0.4  # little contrast
    darkest = pytest.approx(ordered[50], abs=1e-3)
    for constants in ({0.65: 9_000}, {-9.0: 9_000}, {}):
        assert zero_level(ordered, constants) == darkest


def test_holes_in_a_brain_show_its_zero():
    rng = np.random.default_rng(1)
    ordered = np.sort(np.r_[np.zeros(500), rng.normal(0, 0.05, 500), brain()])  # and there is noise below it
    assert zero_level(ordered, {-9.0: 9_000}) == 0.0


def test_lost_pixels_in_symmetric_noise_show_its_zero():
    ordered = histogram(lambda rng, size: np.where(np.arange(size) < 300, 0.01, gaussian(rng, size)))
    assert zero_level(ordered, {}) == 0.01
