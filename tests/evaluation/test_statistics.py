# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t, wilcoxon

from scripts.evaluation import bootstrap_interval
from scripts.evaluation.statistics import bootstrap_of_rows, holm, rank_biserial, signed_rank_test, spread


def test_holm_agrees_with_a_worked_example():
    # Holm 1979 in words: sort, multiply by n, n - 1, ..., never below the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.6]) == pytest.approx([0.8, 0.8])  # 2 x 0.4, then at least as much
    assert holm([0.7, 0.9]) == pytest.approx([1.0, 1.0])


def test_holm_leaves_out_tests_that_could_not_be_made():
    assert holm([0.01, math.nan, 0.04]) == pytest.approx([0.02, math.nan, 0.04], nan_ok=True)
    assert holm([]).size == 0


def test_signed_rank_test_agrees_with_scipy_measure_by_measure():
    rng = np.random.default_rng(0)
    differences = rng.normal(0.3, 1, (6, 17))
    differences[1, :3] = 0  # zeros: the approximation
    differences[2, 4] = np.nan  # no such region
    differences[3, 5] = np.inf  # an untouched image
    expected = [wilcoxon(row[np.isfinite(row)]).pvalue for row in differences]
    assert signed_rank_test(differences) == pytest.approx(expected)


def test_signed_rank_test_of_no_difference_at_all():
    assert signed_rank_test(np.zeros((1, 8))) == pytest.approx([1.0])
    assert np.isnan(signed_rank_test(np.full((1, 8), np.nan))).all()
    assert signed_rank_test(np.arange(1.0, 6.0)[None]) == pytest.approx([2 / 2**5])  # five subjects: never below 0.06


def test_rank_biserial_of_a_worked_example():
    # Kerby 2014: ranks 1 to 4, favourable 1 + 2 + 4, unfavourable 3: 7/10 - 3/10
    assert rank_biserial(np.array([[0.1, 0.2, -0.3, 0.4]])) == pytest.approx([0.4])
    assert rank_biserial(np.array([[1.0, 1.0, -1.0, 0.0]])) == pytest.approx([1 / 3])  # ties share the mean rank
    assert rank_biserial(np.array([[2.0, 3.0, np.nan]])) == pytest.approx([1.0])
    assert np.isnan(rank_biserial(np.zeros((1, 3)))).all()


def test_interval_over_subjects_is_scipys():
    rng = np.random.default_rng(1)
    values = rng.normal(30, 2, (1, 3, 25))
    values[0, 2, :5] = np.nan  # five subjects have no such region
    found = spread(values)
    for row, low, high in zip(values[0], found.ci_low, found.ci_high, strict=True):
        assert (low, high) == pytest.approx(bootstrap_interval(row[np.isfinite(row)]))
    assert list(found.n) == [25, 25, 20]
    assert found.subject_sd == pytest.approx([np.nanstd(row, ddof=1) for row in values[0]])
    assert np.isnan(found.seed_sd).all()  # one seed says nothing about others


def test_seeds_are_averaged_before_subjects_are_compared():
    subjects, seeds = np.array([1.0, 2.0, 3.0, 6.0]), np.array([-0.2, 0.0, 0.2])
    found = spread((10 + subjects + seeds[:, None])[:, None])  # (3 seeds, 1 measure, 4 subjects)
    assert found.mean == pytest.approx([13.0])
    assert found.subject_sd == pytest.approx([subjects.std(ddof=1)])  # the seeds' spread is not in it
    assert found.seed_sd == pytest.approx([0.2])
    half = t.ppf(0.975, 2) * 0.2 / math.sqrt(3)
    assert (found.seed_low[0], found.seed_high[0]) == pytest.approx((13 - half, 13 + half))


def test_one_subject_has_no_interval():
    found = spread(np.ones((2, 1, 1)))
    assert found.mean == pytest.approx([1.0])
    assert np.isnan([found.ci_low, found.ci_high, found.subject_sd]).all()


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(2)
    found = spread(rng.normal(0, 1, (1, 2000, 25)))
    covered = ((found.ci_low <= 0) & (found.ci_high >= 0)).mean()
    assert 0.90 < covered < 0.96  # a percentile interval of 25 subjects is a little too narrow
    found = spread(rng.normal(0, 1, (3, 2000, 1)) + 5)
    assert ((found.seed_low <= 5) & (found.seed_high >= 5)).mean() == pytest.approx(0.95, abs=0.02)


def test_subjects_are_resampled_with_all_their_slices():
    subjects = np.array(["b", "a", "a", "c", "c", "c"])
    values = np.array([3.0, 1.0, 1.0, 2.0, 2.0, 2.0])
    seen = []

    def statistic(rows):
        seen.append(np.unique(values[rows], return_counts=True))
        return [values[rows].mean(), np.nan if len(seen) % 2 else 5.0]

    ends = bootstrap_of_rows(statistic, subjects, 200, np.random.default_rng(0))
    slices = {1.0: 2, 2.0: 3, 3.0: 1}
    assert all(count % slices[value] == 0 for found in seen for value, count in zip(*found, strict=True))
    assert ends[0, 0] == 1.0  # one of 27 resamples is "a" alone
    assert 2.0 < ends[1, 0] <= 3.0
    assert list(ends[:, 1]) == [5.0, 5.0]  # NaN does not count
    assert np.isnan(bootstrap_of_rows(statistic, subjects[1:3], 200, np.random.default_rng(0))).all()


def test_with_one_slice_a_subject_it_is_the_interval_of_the_mean():
    values = np.random.default_rng(1).normal(30, 2, 25)
    ends = bootstrap_of_rows(lambda rows: values[rows].mean(), np.arange(25), 2000, np.random.default_rng(0))
    assert ends == pytest.approx(bootstrap_interval(values))
