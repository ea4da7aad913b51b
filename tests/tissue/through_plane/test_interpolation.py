# SPDX-License-Identifier: Apache-2.0
"""Shapes between their neighbours; smooth signals against the iterative solution of the paper and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.tissue import interpolate_shapes, smooth_signal


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


def snake(
    signal: np.ndarray, weight: float, trust: np.ndarray, step: float = 1e-2, momentum: float = 0.9
) -> np.ndarray:
    """Gradient descent with momentum, as in the paper, with its step, until nothing changes in float32.

    The smoothness force is the value minus the mean of its neighbours, the ends repeated outwards.
    """
    value, velocity = signal.copy(), np.zeros_like(signal)
    for _ in range(100_000):
        padded = np.pad(value, 1, mode="edge")
        force = trust * (value - signal) + weight * (value - (padded[:-2] + padded[2:]) / 2)
        velocity = momentum * velocity - step * force
        value = value + velocity
        if np.linalg.norm(velocity) < np.finfo(np.float32).eps:
            return value
    raise AssertionError("the reference did not converge")


@pytest.mark.parametrize("weight", [0.0, 0.7, 9.0, 50.0, 128.0])
def test_it_is_where_the_snake_of_the_paper_comes_to_rest(weight):
    signal = np.random.default_rng(0).normal(size=23)
    expected = snake(signal, weight, np.ones(23))
    np.testing.assert_allclose(smooth_signal(signal[:, None], weight)[:, 0], expected, atol=1e-5)


def test_it_is_where_the_snake_comes_to_rest_with_a_slice_that_is_not_trusted():
    rng = np.random.default_rng(1)
    signal, trust = rng.normal(size=15), rng.uniform(0.2, 1, size=15)
    trust[6] = 0
    np.testing.assert_allclose(smooth_signal(signal[:, None], 4, trust)[:, 0], snake(signal, 4, trust), atol=1e-5)


def test_each_signal_has_a_weight_of_its_own():
    signals = np.random.default_rng(0).normal(size=(9, 3))
    together = smooth_signal(signals, [0, 1, 50])
    np.testing.assert_array_equal(together[:, 0], signals[:, 0])
    for column, weight in enumerate([0, 1, 50]):
        np.testing.assert_allclose(together[:, [column]], smooth_signal(signals[:, [column]], weight))


def test_a_cosine_along_the_slices_is_only_made_smaller():
    t, weight = np.arange(20), 3.0
    mode = np.cos(np.pi * 4 * (t + 0.5) / 20)  # an eigenvector of the chain with repeated ends
    factor = 1 / (1 + weight * (1 - np.cos(np.pi * 4 / 20)))
    np.testing.assert_allclose(smooth_signal(mode[:, None], weight)[:, 0], factor * mode, atol=1e-12)


def test_the_mean_stays_and_a_huge_weight_leaves_nothing_else():
    signal = np.random.default_rng(0).normal(size=(30, 2))
    np.testing.assert_allclose(smooth_signal(signal, 40).mean(0), signal.mean(0))
    np.testing.assert_allclose(smooth_signal(signal, 1e9), np.tile(signal.mean(0), (30, 1)), atol=1e-5)


def test_slices_that_are_not_trusted_come_to_lie_on_a_line_between_the_others():
    line = np.stack([2 * np.arange(12.0) - 5, -np.arange(12.0)], axis=1)
    damaged, trust = line.copy(), np.ones(12)
    damaged[[3, 7, 8]], trust[[3, 7, 8]] = 1e6, 0
    np.testing.assert_allclose(smooth_signal(damaged, 1e-6, trust), line, atol=1e-4)


def test_one_slice_is_left_alone():
    assert smooth_signal([[3.0, -1.0]], 50).tolist() == [[3.0, -1.0]]


@pytest.mark.parametrize(
    ("weight", "trust", "message"),
    [
        (-1, None, "weights must be at least 0, got -1"),
        (1, [0, 0, 0], "trust must be at least 0 and not 0 everywhere"),
        (1, [1, -1, 1], "got trust from -1 to 1"),
        (0, [1, 0, 1], "need a weight above 0 to be filled in; got trust from 0 to 1 and weights from 0"),
    ],
)
def test_what_has_no_solution_is_refused(weight, trust, message):
    with pytest.raises(ValueError, match=message):
        smooth_signal(np.zeros((3, 2)), weight, trust)
