# SPDX-License-Identifier: Apache-2.0
"""Shapes between their neighbours."""

from __future__ import annotations

import numpy as np

from scripts.tissue import interpolate_shapes


def disk(radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:32, :32] - 15.5
    return (np.hypot(rows, columns) < radius).astype(np.uint8) * 3


def test_between_two_disks_lies_the_one_of_the_mean_radius():
    classes = np.stack([disk(6), disk(0), disk(12)])
    found = interpolate_shapes(classes, np.array([False, True, False])).argmax(1)[0]
    assert abs(np.sqrt((found > 0).sum() / np.pi) - 9) < 0.5  # half a pixel
    assert (found == disk(9)).mean() > 0.97


def test_a_gap_of_two_is_filled_in_proportion_and_an_end_repeated():
    classes = np.stack([disk(6), disk(0), disk(0), disk(12), disk(0)])
    shares = interpolate_shapes(classes, np.array([False, True, True, False, True]))
    np.testing.assert_allclose(shares.sum(1), 1)
    radii = np.sqrt((shares.argmax(1) > 0).sum((1, 2)) / np.pi)
    np.testing.assert_allclose(radii, [8, 10, 12], atol=0.5)


def test_a_class_that_only_one_neighbour_has_does_not_fill_the_slice():
    lower, upper = disk(10), disk(10)
    upper[14:18, 14:18] = 1
    found = interpolate_shapes(np.stack([lower, lower, upper]), np.array([False, True, False])).argmax(1)[0]
    assert (found == 1).sum() <= (upper == 1).sum()
    assert ((found > 0) == (lower > 0)).all()
