# SPDX-License-Identifier: Apache-2.0
"""What is usual between neighbouring slices: learned, stored, applied."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scripts.tissue import ConsistencyThresholds, inconsistency
from tests.helpers.toy_brain import toy_slice
from tests.helpers.toy_slices import toy_slices

HEADS, COUNT = 20, 30
NAMES = ("brain_area", "ventricle_area", "aspect")


@pytest.fixture(scope="module")
def thresholds() -> ConsistencyThresholds:
    return ConsistencyThresholds.learn(toy_slices(HEADS, 0, COUNT), 4.0, NAMES)


def test_a_cubic_profile_is_consistent_and_a_jump_has_the_weights_of_its_stencil():
    t = np.arange(12.0)
    cubic = np.stack([t**3 - 5 * t**2 + t, 7 - 2 * t], axis=1)
    np.testing.assert_allclose(inconsistency(cubic)[2:-2], 0, atol=1e-12)
    np.testing.assert_allclose(inconsistency(cubic)[:, 1], 0, atol=1e-12)
    jump = np.zeros((9, 1))
    jump[4] = 6
    np.testing.assert_allclose(inconsistency(jump)[:, 0], [0, 0, 1, -4, 6, -4, 1, 0, 0], atol=1e-12)


def test_next_to_the_ends_the_two_neighbours_decide_and_the_ends_and_the_undefined_are_not_judged():
    error = inconsistency([[9.0], [1.0], [2.0], [np.nan], [4.0], [8.0], [0.0]])[:, 0]
    np.testing.assert_allclose(error, [0, 1 - 5.5, 0, 0, 0, 8 - 2, 0])


def test_the_distance_is_that_of_mahalanobis():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(3, 3))
    precision = matrix @ matrix.T
    made = ConsistencyThresholds(
        NAMES, np.tile([1.0, 2.0, 3.0], (19, 1)), np.tile(precision, (19, 1, 1)), 2.5, (4.0, 4.0, 4.0), {}
    )
    profile = rng.normal(size=(11, 3))
    deviation = inconsistency(profile)[1:-1] - [1, 2, 3]
    expected = [np.sqrt(d @ precision @ d / 3) / 2.5 for d in deviation]
    np.testing.assert_allclose(made.scores(profile, np.linspace(0, 1, 11)), [0, *expected, 0])


def test_between_two_levels_the_bounds_are_interpolated():
    median = np.linspace(0, 18, 19)[:, None]
    made = ConsistencyThresholds(("aspect",), median, np.ones((19, 1, 1)), 1.0, (4.0, 4.0, 4.0), {})
    scores = made.scores(np.zeros((5, 1)), [0.0, 0.01, 0.525, 0.99, 1.0])  # 0.525 is between the 10th and the 11th
    np.testing.assert_allclose(scores, [0, 0, 9.5, 18, 0])


def test_the_wanted_share_of_healthy_slices_is_flagged(thresholds: ConsistencyThresholds):
    unseen = toy_slices(HEADS, 1, COUNT)
    for percent in (1, 10):
        learned = ConsistencyThresholds.learn(toy_slices(HEADS, 0, COUNT), 4.0, NAMES, percent)
        profiles = learned.profile(unseen.classes, unseen.level)
        flagged = [learned.scores(profiles[rows], unseen.level[rows])[1:-1] > 1 for rows in unseen.volumes()]
        assert 0.3 * percent < 100 * np.concatenate(flagged).mean() < 3 * percent


def test_only_the_slice_that_jumps_is_found(thresholds: ConsistencyThresholds):
    head = toy_slices(1, 7, COUNT)
    for position in (1, 8, 15, COUNT - 2):
        damaged = head.classes.copy()
        damaged[position] = toy_slice(length=50, width=70)
        found = thresholds.find(thresholds.profile(damaged, head.level), head.level)
        assert np.flatnonzero(found).tolist() == [position]
    assert not thresholds.find(thresholds.profile(head.classes, head.level), head.level).any()


def test_two_jumps_are_found_and_so_is_an_empty_slice(thresholds: ConsistencyThresholds):
    head = toy_slices(1, 7, COUNT)
    damaged = head.classes.copy()
    damaged[9] = toy_slice(length=50, width=70)
    damaged[20] = 0  # its aspect is not defined
    found = thresholds.find(thresholds.profile(damaged, head.level), head.level)
    assert np.flatnonzero(found).tolist() == [9, 20]


def test_they_survive_their_file(thresholds: ConsistencyThresholds, tmp_path: Path):
    thresholds.save(tmp_path / "consistency.json")
    read = ConsistencyThresholds.load(tmp_path / "consistency.json")
    np.testing.assert_array_equal(read.median, thresholds.median)
    np.testing.assert_array_equal(read.precision, thresholds.precision)
    same = replace(read, median=thresholds.median, precision=thresholds.precision)
    assert same == thresholds
    assert read.spacing_mm == (4.0, 4.0, 4.0)
    assert read.learned_from == {"heads": HEADS, "slices": HEADS * COUNT, "false_alarm_percent": 1.0}


def test_a_file_of_something_else_is_refused(thresholds: ConsistencyThresholds, tmp_path: Path):
    path = tmp_path / "consistency.json"
    with pytest.raises(FileNotFoundError):
        ConsistencyThresholds.load(path)
    thresholds.save(path)
    content = json.loads(path.read_text())
    for text in ("no json", "{}", json.dumps(content | {"names": ["aspect"]}), json.dumps(content | {"median": [1]})):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"consistency\.json holds no thresholds.*scripts tissue"):
            ConsistencyThresholds.load(path)


def test_too_little_to_learn_from_is_refused():
    with pytest.raises(ValueError, match="thresholds need at least 5 heads, got 4"):
        ConsistencyThresholds.learn(toy_slices(4, 0, COUNT), 4.0)
    with pytest.raises(ValueError, match="false_alarm_percent must be above 0 and below 100, got 0"):
        ConsistencyThresholds.learn(toy_slices(5, 0, COUNT), 4.0, false_alarm_percent=0)
