# SPDX-License-Identifier: Apache-2.0
"""Each damage does what it says, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.tissue import CRITERIA, DAMAGES, damage_masks, measure_criteria
from tests.helpers.toy_brain import SPACING_MM, toy_slice

SEEN_BY = {"hole": "brain_gap", "pieces": "brain_components", "cut": "ventricle_exterior", "bite": "convexity"}
SEEDS = 8


@pytest.mark.parametrize("kind", DAMAGES)
def test_the_criterion_that_belongs_to_a_damage_sees_it(kind: str):
    given = toy_slice()
    before = measure_criteria(given[None], SPACING_MM)[0]
    column = list(CRITERIA).index(SEEN_BY[kind])
    for seed in range(SEEDS):
        mask = given.copy()
        DAMAGES[kind](mask, SPACING_MM, np.random.default_rng(seed))
        after = measure_criteria(mask[None], SPACING_MM)[0]
        change = {"hole": 8, "pieces": 1, "cut": 8, "bite": -0.02}[kind]
        assert (after - before)[column] / change >= 1, (seed, before[column], after[column])


def test_a_bite_anywhere_lacks_a_disc_on_one_side_or_in_the_hull():
    """A half disc of 24 mm holds one of 12 mm, and the hull cuts a little off a bite in the middle."""
    columns = [list(CRITERIA).index(name) for name in ("side_gap", "hull_gap")]
    before = measure_criteria(toy_slice()[None], SPACING_MM)[0, columns]
    for seed in range(3 * SEEDS):
        mask = toy_slice()
        DAMAGES["bite"](mask, SPACING_MM, np.random.default_rng(seed))
        after = measure_criteria(mask[None], SPACING_MM)[0, columns]
        assert (after - before).max() >= 4, (seed, before, after)


def test_a_slice_without_ventricles_is_cut_too():
    mask = toy_slice(ventricle=0)
    DAMAGES["cut"](mask, SPACING_MM, np.random.default_rng(0))
    assert measure_criteria(mask[None], SPACING_MM)[0, list(CRITERIA).index("ventricle_exterior")] >= 8


def test_the_kinds_take_turns_and_the_given_masks_stay():
    given = np.stack([toy_slice()] * 6)
    copy = given.copy()
    damaged, kinds = damage_masks(given, SPACING_MM, np.random.default_rng(0))
    np.testing.assert_array_equal(given, copy)
    assert kinds.tolist() == ["hole", "pieces", "cut", "bite", "hole", "pieces"]
    assert all((one != other).any() for one, other in zip(damaged, given, strict=True))
    again, _ = damage_masks(given, SPACING_MM, np.random.default_rng(0))
    np.testing.assert_array_equal(damaged, again)


def test_pieces_leave_the_brain_and_the_others_add_none():
    given = toy_slice()
    for kind in DAMAGES:
        mask = given.copy()
        DAMAGES[kind](mask, SPACING_MM, np.random.default_rng(1))
        if kind == "pieces":
            np.testing.assert_array_equal(mask[given > 0], given[given > 0])
        else:
            assert not mask[given == 0].any()
