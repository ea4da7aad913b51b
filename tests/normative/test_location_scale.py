# SPDX-License-Identifier: Apache-2.0
"""Percentiles against distributions that are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import expon, kstest, norm

from scripts.normative import LocationScale

KNOTS = (20.0, 50.0, 80.0)


def _people(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return rng.uniform(20, 80, n), rng.random(n) < 0.5, rng


def _centre(age: np.ndarray, female: np.ndarray) -> np.ndarray:
    return 100 + 0.5 * age - 8 * female


def _spread(age: np.ndarray, female: np.ndarray) -> np.ndarray:
    return np.exp(0.5 + 0.02 * age + 0.4 * female)


@pytest.mark.parametrize("shape", [norm(), expon()], ids=["normal", "skewed"])
def test_percentiles_are_those_of_the_distribution(shape):
    age, female, rng = _people(2000)
    y = _centre(age, female) + _spread(age, female) * shape.rvs(len(age), random_state=rng)
    model = LocationScale(age, female, y, KNOTS)
    new_age, new_female, rng = _people(300, seed=1)
    share = rng.uniform(0.02, 0.98, 300)
    new = _centre(new_age, new_female) + _spread(new_age, new_female) * shape.ppf(share)
    np.testing.assert_allclose(model.percentile(new_age, new_female, new), share, atol=0.12)
    for known in (0.05, 0.5, 0.95):
        of = (new_age, new_female)
        expected = _centre(*of) + _spread(*of) * shape.ppf(known)
        np.testing.assert_array_less(np.abs(model.quantile(*of, known) - expected) / _spread(*of), 0.4)


def test_the_fit_is_the_weighted_least_squares_of_the_true_spread():
    age, female, rng = _people(3000)
    y = _centre(age, female) + _spread(age, female) * rng.standard_normal(len(age))
    model = LocationScale(age, female, y, (20.0, 80.0))
    slope, offset = np.polyfit(age[female], y[female], 1, w=1 / _spread(age[female], True))
    at = np.array([30.0, 70.0])
    median = model.quantile(at, [True, True], 0.5)
    np.testing.assert_allclose(median, slope * at + offset, atol=1.2)
    ratio = np.diff(model.quantile(at, [True, True], 0.84)) - np.diff(median)
    assert ratio == pytest.approx(_spread(70, True) - _spread(30, True), rel=0.15)


def test_a_spline_follows_a_curve_that_a_straight_line_cannot():
    age, female, rng = _people(400)
    y = np.cos((age - 20) / 60 * np.pi) ** 2 + 0.05 * rng.standard_normal(len(age))
    curved = LocationScale(age, female, y, KNOTS).quantile([20.0, 50.0, 80.0], [True] * 3, 0.5)
    straight = LocationScale(age, female, y, KNOTS[::2]).quantile([20.0, 50.0, 80.0], [True] * 3, 0.5)
    assert np.abs(curved - [1, 0, 1]).max() < 0.35
    assert np.abs(straight - [1, 0, 1]).max() > 0.4


def test_leave_one_out_residuals_are_those_of_fits_without_each_head():
    age, female, rng = _people(60)
    y = _centre(age, female) + _spread(age, female) * rng.standard_normal(60)
    model = LocationScale(age, female, y, (20.0, 80.0))
    spread = 1 / (model.deviation(age, female, y + 1) - model.deviation(age, female, y))
    regressors = np.stack([np.ones(60), age, female], 1)
    brute = []
    for i in range(60):
        weight = np.where(np.arange(60) == i, 0, 1 / spread)
        centre = np.linalg.lstsq(regressors * weight[:, None], y * weight, rcond=None)[0]
        brute.append((y[i] - regressors[i] @ centre) / spread[i])
    np.testing.assert_allclose(model.residuals, np.sort(brute), rtol=1e-6)


def test_percentiles_of_new_people_are_uniform_over_many_small_cohorts():
    shares = []
    for seed in range(150):
        age, female, rng = _people(41, seed)
        y = _centre(age, female) + _spread(age, female) * rng.gamma(2, size=41)
        model = LocationScale(age[:40], female[:40], y[:40], KNOTS)
        shares.append(model.percentile(age[40:], female[40:], y[40:])[0])
    assert kstest(shares, "uniform").pvalue > 0.01


def test_percentiles_rise_and_are_never_0_or_1():
    age, female, rng = _people(40)
    model = LocationScale(age, female, rng.standard_normal(40), KNOTS)
    shares = model.percentile(np.full(9, 50), np.full(9, True), np.linspace(-100, 100, 9))
    assert (np.diff(shares) >= 0).all()
    assert shares[0] == pytest.approx(0.5 / 41)
    assert shares[-1] == pytest.approx(40.5 / 41)


def test_what_cannot_be_fitted_is_refused():
    age, female, _ = _people(40)
    with pytest.raises(ValueError, match="10 heads are too few for 7 parameters"):
        LocationScale(age[:10], female[:10], age[:10], KNOTS)
    with pytest.raises(ValueError, match="all heads lie on one curve"):
        LocationScale(age, female, _centre(age, female), KNOTS)
