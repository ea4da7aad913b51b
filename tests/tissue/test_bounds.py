# SPDX-License-Identifier: Apache-2.0
"""Bounds along the brain: learned, stored, applied."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scripts.tissue import (
    CRITERIA,
    AnatomicalCriteria,
    LevelBounds,
    load_tissue_slices,
)
from tests.helpers.toy_slices import toy_slices

COUNT = 15


@pytest.fixture(scope="module")
def criteria() -> AnatomicalCriteria:
    return AnatomicalCriteria.learn(toy_slices(12, 0))


def test_bounds_are_percentiles_near_the_level():
    rng = np.random.default_rng(0)
    level = rng.uniform(0, 1, 4000)
    values = np.stack([10 * level + rng.uniform(-1, 1, 4000), rng.normal(size=4000)], axis=1)
    bounds = LevelBounds.learn(values, level, [True, False], [True, True], tail_percent=1)
    lower, upper = bounds.at([0.3, 0.525])
    np.testing.assert_allclose(lower[:, 0], [10 * 0.3 - 1.3, 10 * 0.525 - 1.3], atol=0.2)
    np.testing.assert_allclose(upper[:, 0], [10 * 0.3 + 1.3, 10 * 0.525 + 1.3], atol=0.2)
    assert np.isneginf(lower[:, 1]).all()
    near = np.abs(level - 0.3) <= 0.05
    beyond = [(values[near, 0] < lower[0, 0]).mean(), (values[near, 1] > upper[0, 1]).mean()]
    assert max(beyond) <= 0.01
    assert 0.97 <= bounds.contain(values, level).all(1).mean() < 1  # three bounds


def test_what_is_undefined_passes_and_an_unknown_level_takes_the_widest_bounds():
    level = np.linspace(0, 1, 200)
    values = np.stack([level, np.where(level < 0.5, np.nan, 1.0)], axis=1)
    bounds = LevelBounds.learn(values, level, [True, True], [True, True], tail_percent=0)
    assert bounds.contain([[np.nan, np.nan]], [0.2]).all()
    lower, upper = bounds.at([np.nan])
    np.testing.assert_allclose([lower[0], upper[0]], [[0, 1], [1, 1]], atol=0.01)
    assert not bounds.contain([[0.9, 1.0]], [0.2])[0, 0]
    assert bounds.contain([[0.9, 1.0]], [np.nan]).all()


def test_wrong_bounds_are_named():
    with pytest.raises(ValueError, match="tail_percent must be at least 0 and less than 50, got 50"):
        LevelBounds.learn(np.zeros((9, 1)), np.linspace(0, 1, 9), [True], [True], tail_percent=50)


def test_by_construction_nearly_all_training_slices_are_valid(criteria: AnatomicalCriteria):
    training, unseen = toy_slices(12, 0), toy_slices(6, 1)
    learned_bounds = sum(c.lower + c.upper for c in CRITERIA.values()) - 1  # that of the border is fixed
    assert learned_bounds == 16
    assert criteria.valid(training.classes, training.level).mean() >= 1 - learned_bounds * 0.002
    assert criteria.valid(unseen.classes, unseen.level).mean() > 0.7


def test_a_mask_may_be_plausible_at_one_level_only(criteria: AnatomicalCriteria):
    middle = toy_slices(1, 0).classes[COUNT // 2 : COUNT // 2 + 1]
    levels = [0.5, 0.05, np.nan]
    assert criteria.valid(middle.repeat(3, axis=0), levels).tolist() == [True, False, True]
    assert criteria.valid(middle).all()
    failed = criteria.passes(criteria.measure(middle), [0.05])[0]
    assert "brain_area" in {name for name, passed in zip(CRITERIA, failed, strict=True) if not passed}


def test_a_brain_at_the_edge_of_the_image_is_never_valid(criteria: AnatomicalCriteria):
    middle = toy_slices(1, 0).classes[COUNT // 2]
    moved = np.roll(middle, -np.flatnonzero(middle.any(1))[0], axis=0)
    passed = dict(zip(CRITERIA, criteria.passes(criteria.measure(moved[None]))[0], strict=True))
    assert [name for name, value in passed.items() if not value] == ["border_contact"]


def test_bounds_survive_their_file(criteria: AnatomicalCriteria, tmp_path: Path):
    criteria.save(tmp_path / "criteria.json")
    read = AnatomicalCriteria.load(tmp_path / "criteria.json")
    np.testing.assert_array_equal(read.bounds.lower, criteria.bounds.lower)
    np.testing.assert_array_equal(read.bounds.upper, criteria.bounds.upper)
    np.testing.assert_array_equal(read.bounds.levels, criteria.bounds.levels)
    assert (read.spacing_mm, read.learned_from) == (criteria.spacing_mm, criteria.learned_from)
    assert criteria.learned_from == {"heads": 12, "slices": 180, "tail_percent": 0.2}


def test_a_file_of_something_else_is_refused(criteria: AnatomicalCriteria, tmp_path: Path):
    path = tmp_path / "criteria.json"
    with pytest.raises(FileNotFoundError):
        AnatomicalCriteria.load(path)
    criteria.save(path)
    content = json.loads(path.read_text())
    del content["criteria"]["convexity"]
    for text in ("no json", "{}", json.dumps(content)):
        path.write_text(text)
        with pytest.raises(
            ValueError, match=r"criteria\.json holds no bounds of the 14 criteria.*scripts tissue criteria learn"
        ):
            AnatomicalCriteria.load(path)


def test_shares_are_of_slices_and_of_the_worst_head(criteria: AnatomicalCriteria):
    slices = toy_slices(2, 1)
    damaged = replace(slices, classes=slices.classes.copy())
    rows = slices.volumes()[1]
    damaged.classes[rows[:3]] = 0
    before, after = (criteria.shares(one) for one in (slices, damaged))
    assert list(after) == [*CRITERIA, "all", "all, worst head", "all, level not given"]
    valid = criteria.valid(damaged.classes, damaged.level)
    assert after["all"] == pytest.approx(valid.mean())
    assert after["all, worst head"] == pytest.approx(min(valid[rows].mean() for rows in slices.volumes()))
    assert after["all"] < before["all"] <= before["brain_area"]


@pytest.mark.slow
def test_held_out_real_slices_are_plausible(real_data: Path):
    files = sorted((real_data / "ixi_hh_2mm" / "labels").glob("*.nii.gz"))[:80]
    items = [{"label": str(file), "subject": file.name[:6]} for file in files]
    learned = AnatomicalCriteria.learn(load_tissue_slices(items[:60], progress=False))
    unseen = load_tissue_slices(items[60:], progress=False)
    assert learned.valid(unseen.classes, unseen.level).mean() > 0.95  # 0.987 with 116 heads
