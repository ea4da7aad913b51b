# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from scripts.anatomy.background import Constant, border_constants, surroundings, zeros_between_tissue

SHAPE = (24, 27, 22)
TOLERANCE = 0.01


def volume(seed=0):
    return np.random.default_rng(seed).normal(10, 1, SHAPE).astype(np.float32)


def test_noise_has_no_constant():
    assert border_constants(volume(), TOLERANCE) == []
    assert border_constants(np.round(volume()), TOLERANCE) == []  # every grey level is common, but scattered


def test_constants_at_the_border_are_found():
    x = volume()
    x[:6], x[20:] = -1024, 0
    x[:, :, -5:] = -1024
    x[:, :4] = np.nan
    assert border_constants(x, TOLERANCE) == [Constant(-1024, TOLERANCE), Constant(0, TOLERANCE)]


def test_a_bright_corner_is_no_constant_but_bright_padding_is():
    x = volume()
    x[:4, :9, :8] = 20  # fat that 8 bits cut off
    assert border_constants(x, TOLERANCE) == []
    x[:8] = 20
    assert border_constants(x, TOLERANCE) == [Constant(20, TOLERANCE)]


def test_dust_is_a_constant_within_the_tolerance():
    x = volume()
    dust = np.random.default_rng(1).normal(0, 1e-3, SHAPE)
    x[:6], x[-6:], x[:, :6], x[:, -6:] = dust[:6], dust[-6:], dust[:, :6], dust[:, -6:]
    (found,) = border_constants(x, TOLERANCE)
    assert found.value == pytest.approx(0, abs=TOLERANCE / 2)
    assert found.matches(x[:6]).all()
    assert not found.matches(x[8:16, 8:16]).any()


def test_a_volume_smaller_than_a_tile_has_none():
    assert border_constants(np.zeros((3, 3, 3), np.float32), TOLERANCE) == []


def shell(margin=8):
    """Equal everywhere around a box."""
    equal = np.ones((30, 31, 29), bool)
    equal[margin:-margin, margin:-margin, margin:-margin] = False
    return equal


def test_the_margin_takes_all_around_a_box():
    for margin in (4, 6, 8, 11):
        np.testing.assert_array_equal(surroundings(shell(margin), margin=1), shell(margin))


def test_without_a_margin_it_is_what_lies_in_whole_blocks_and_between_dark_slices():
    shallow = surroundings(shell())
    assert (shallow <= shell()).all()
    np.testing.assert_array_equal(shallow[:, :, :7], True)
    assert not shallow[9:22, 8:23, 7].any()  # next to the box
    assert shallow[:7, :7].all()


@pytest.mark.parametrize("margin", [0, 1])
def test_a_hole_in_a_slice_that_touches_the_background_is_none_of_it(margin):
    equal = shell()
    around = surroundings(equal, margin)
    equal[5:16, 10:20, 14] = True
    np.testing.assert_array_equal(surroundings(equal, margin), around)


def test_a_solid_hole_inside_is_none():
    equal = shell(4)
    equal[10:20, 10:20, 10:20] = True
    assert not surroundings(equal, margin=1)[10:20, 10:20, 10:20].any()


def test_scattered_voxels_are_no_background():
    equal = np.random.default_rng(0).random((40, 40, 40)) < 0.8
    assert not surroundings(equal).any()


@pytest.mark.parametrize("shape", [(16, 17, 18), (3, 20, 7), (1, 1, 1)])
def test_any_size_will_do(shape):
    assert surroundings(np.ones(shape, bool)).all()


def test_zeros_between_tissue_are_short_runs_along_an_axis():
    volume = np.ones((12, 12, 12))
    volume[:3] = 0  # open to one side: air
    assert zeros_between_tissue(volume) == 0
    volume[5:7, 5:7, 5] = 0
    assert zeros_between_tissue(volume) == 4
    volume[4:9, 2:7, 2:7] = 0  # too long along all axes
    assert zeros_between_tissue(volume) == 0
    assert zeros_between_tissue(volume, longest=5) == 125
    assert zeros_between_tissue(np.where(volume, 0.1, 0), longest=5) == 0
