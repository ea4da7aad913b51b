# SPDX-License-Identifier: Apache-2.0
"""Slices that do not belong where they are, and how many of them are found."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.studies.through_plane.jumps import JUMPS, Place
from scripts.studies.through_plane.trials import false_alarms, trials
from scripts.tissue import ConsistencyThresholds
from tests.helpers.toy_brain import SPACING_MM
from tests.helpers.toy_slices import toy_slices

COUNT = 30
PIXEL_MM2 = SPACING_MM[0] * SPACING_MM[1]


@pytest.fixture(scope="module")
def place() -> Place:
    slices = toy_slices(2, 3, COUNT)
    return Place(slices, slices.volumes()[1], 14, toy_slices(3, 4, COUNT), 4.0)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def area(mask: np.ndarray) -> int:
    return int((mask > 0).sum())


def test_a_far_slice_is_of_the_same_head_12_mm_away(place: Place, rng: np.random.Generator):
    mask = JUMPS["far_slice"](place, rng)
    assert any(np.array_equal(mask, place.slices.classes[place.row + step]) for step in (-3, 3))
    near_the_end = JUMPS["far_slice"](place._replace(position=1), rng)
    np.testing.assert_array_equal(near_the_end, place.slices.classes[place.rows[4]])


def test_the_slice_of_another_head_is_of_the_same_level(place: Place, rng: np.random.Generator):
    mask = JUMPS["other_head"](place, rng)
    same = [row for row, donor in enumerate(place.donors.classes) if np.array_equal(mask, donor)]
    assert place.slices.level[place.row] in place.donors.level[same]


def test_a_shifted_slice_is_the_same_8_mm_away(place: Place, rng: np.random.Generator):
    seen = set()
    for _ in range(20):
        mask = JUMPS["shifted"](place, rng)
        steps = [s for s in ((2, 0), (-2, 0), (0, 2), (0, -2)) if np.array_equal(mask, np.roll(place.mask, s, (0, 1)))]
        seen.update(steps)
        assert len(steps) == 1
    assert len(seen) == 4


def test_ten_percent_smaller_and_larger(place: Place, rng: np.random.Generator):
    assert area(JUMPS["shrunk"](place, rng)) == pytest.approx(0.81 * area(place.mask), rel=0.03)
    assert area(JUMPS["grown"](place, rng)) == pytest.approx(1.21 * area(place.mask), rel=0.03)


def test_erosion_takes_the_outer_4_mm_away(place: Place, rng: np.random.Generator):
    rows, columns = (np.flatnonzero((place.mask > 0).any(axis)) for axis in (1, 0))
    mask = JUMPS["eroded"](place, rng)
    left = np.flatnonzero((mask > 0).any(1)), np.flatnonzero((mask > 0).any(0))
    assert (left[0][0], left[0][-1]) == (rows[0] + 1, rows[-1] - 1)
    assert (left[1][0], left[1][-1]) == (columns[0] + 1, columns[-1] - 1)
    np.testing.assert_array_equal(mask[mask > 0], place.mask[mask > 0])


def test_a_bite_is_a_disk_of_24_mm_at_most(place: Place, rng: np.random.Generator):
    missing = (JUMPS["bitten"](place, rng) == 0) & (place.mask > 0)
    assert 0 < missing.sum() * PIXEL_MM2 <= np.pi * 26**2
    rows, columns = np.nonzero(missing)
    assert np.ptp(rows) * SPACING_MM[0] <= 48
    assert np.ptp(columns) * SPACING_MM[1] <= 48


def test_jumps_are_found_where_they_are_and_healthy_slices_left_alone():
    learned = ConsistencyThresholds.learn(toy_slices(20, 0, COUNT), 4.0, ("brain_area", "aspect", "centroid_right"))
    unseen, donors = toy_slices(4, 1, COUNT), toy_slices(4, 2, COUNT)
    alarms = false_alarms(unseen, learned)
    assert alarms.slices == 4 * (COUNT - 2)
    assert alarms.found <= alarms.flagged <= 0.05
    found: dict[str, list[bool]] = {name: [] for name in JUMPS}
    for trial in trials(unseen, donors, learned, per_head=3):
        assert 0 < trial.place.position < COUNT - 1
        found[trial.jump].append(bool(trial.found[trial.place.position]))
    assert [len(hits) for hits in found.values()] == [12] * len(JUMPS)
    assert np.mean(found["shrunk"]) >= 0.8
    assert np.mean(found["grown"]) >= 0.8
    assert np.mean(found["eroded"]) >= 0.8


def test_trials_are_the_same_for_the_same_seed_and_others_for_another():
    learned = ConsistencyThresholds.learn(toy_slices(6, 0, COUNT), 4.0, ("brain_area", "aspect"))
    unseen = toy_slices(2, 1, COUNT)

    def positions(seed: int) -> list[int]:
        return [trial.place.row for trial in trials(unseen, unseen, learned, 2, seed)]

    assert positions(0) == positions(0) != positions(1)


def test_more_places_than_a_head_has_are_refused():
    learned = ConsistencyThresholds.learn(toy_slices(6, 0, COUNT), 4.0, ("brain_area", "aspect"))
    with pytest.raises(ValueError, match="per_head must be at most 28, the judged slices of the smallest head, got 29"):
        next(trials(toy_slices(2, 1, COUNT), toy_slices(2, 1, COUNT), learned, 29))


def test_heads_too_short_for_a_far_slice_are_refused():
    learned = ConsistencyThresholds.learn(toy_slices(6, 0, COUNT), 4.0, ("brain_area", "aspect"))
    with pytest.raises(ValueError, match="a head has 6 slices of 4 mm: some would have none 12 mm away"):
        next(trials(toy_slices(2, 1, 6), toy_slices(2, 1, 6), learned, 1))
