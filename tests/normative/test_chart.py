# SPDX-License-Identifier: Apache-2.0
"""Charts of made-up cohorts, and percentiles against distributions that are known in closed form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, expon, kstest, norm

from scripts.normative import LocationScale, Measure, NormativeChart, calibration_table, held_out_percentiles

MEASURES = {"volume": Measure("mL", True), "thickness": Measure("mm", False)}


def _heads(n: int, seed: int = 0, bend: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age, female = rng.uniform(20, 80, n), rng.random(n) < 0.5
    return pd.DataFrame(
        {
            "subject": [f"s{i}" for i in range(n)],
            "part": "training",
            "age": age,
            "sex": np.where(female, "F", "M"),
            "volume": np.exp(3 + 0.01 * age + 0.2 * rng.standard_normal(n)),
            "thickness": 12 - 0.05 * age - female + bend * ((age - 50) / 30) ** 2 + 0.5 * rng.standard_normal(n),
        }
    )


def test_a_head_is_placed_at_its_known_percentile():
    chart = NormativeChart(_heads(1500), MEASURES)
    values = {"volume": np.exp(3 + 0.4 + 0.2 * norm.ppf(0.9)), "thickness": 12 - 2 - 1 + 0.5 * norm.ppf(0.2)}
    placed = chart.place(40, "F", values).set_index("measure")
    assert placed["percentile"].tolist() == pytest.approx([90, 20], abs=5)
    assert placed.loc["volume", "median"] == pytest.approx(np.exp(3.4), rel=0.03)
    assert placed.loc["volume", "high"] == pytest.approx(np.exp(3.4 + 0.2 * norm.ppf(0.95)), rel=0.05)
    assert placed.loc["thickness", "low"] == pytest.approx(9 + 0.5 * norm.ppf(0.05), abs=0.1)
    assert placed.loc["thickness", "deviation"] == pytest.approx(norm.ppf(0.2), abs=0.15)
    assert placed["heads"].tolist() == [1500, 1500]
    assert (placed["percentile_low"] < placed["percentile"]).all()
    assert (placed["percentile_high"] > placed["percentile"]).all()


def test_an_undefined_value_has_no_percentile_and_does_not_disturb_the_chart():
    heads = _heads(60)
    heads.loc[3, "thickness"] = np.nan
    placed = NormativeChart(heads, MEASURES).place(40, "M", {"volume": 30.0, "thickness": np.nan}).set_index("measure")
    assert placed["heads"].tolist() == [60, 59]
    assert placed["percentile"].isna().tolist() == [False, True]


def test_nothing_is_extrapolated():
    chart = NormativeChart(_heads(60), MEASURES)
    with pytest.raises(ValueError, match=r"age 12 is outside the chart: its heads of sex F are 2\d\.\d to 7\d\.\d"):
        chart.place(12, "F", {})
    with pytest.raises(ValueError, match="age nan is outside the chart"):
        chart.place(float("nan"), "F", {})
    with pytest.raises(ValueError, match="sex must be one of F, M, got 'X'"):
        chart.place(40, "X", {})


def test_cohorts_that_cannot_be_charted_are_refused():
    heads = _heads(60)
    with pytest.raises(ValueError, match="there are 0 heads of sex M"):
        NormativeChart(heads[heads["sex"] == "F"], MEASURES)
    with pytest.raises(ValueError, match=r"knots must be 2 .* or more, got 1"):
        NormativeChart(heads, MEASURES, knots=1)
    with pytest.raises(ValueError, match="volume must be above 0, got 0"):
        NormativeChart(heads.assign(volume=0.0), MEASURES)
    with pytest.raises(ValueError, match="there is no chart of thickness: all heads lie on one curve"):
        NormativeChart(heads.assign(thickness=2.0), MEASURES)


def test_a_good_chart_passes_the_calibration():
    heads = _heads(200)
    percentiles, explained = held_out_percentiles(heads, MEASURES)
    table = calibration_table(percentiles, MEASURES, explained)
    assert len(table) == 2 * 6  # all, two sexes, three ages
    assert table["p_holm"].min() > 0.05
    every = table[table["group"] == "all"].set_index("measure")
    assert every["n"].tolist() == [200, 200]
    assert every["coverage"].between(0.84, 0.95).all()
    inside = round(every.loc["volume", "coverage"] * 200)
    assert every.loc["volume", "coverage_low"] == pytest.approx(binomtest(inside, 200).proportion_ci().low)
    assert table["coverage"].between(table["coverage_low"], table["coverage_high"]).all()  # that of each group's heads
    volume = np.log(heads["volume"])
    explained_by_truth = 1 - np.square(volume - 3 - 0.01 * heads["age"]).mean() / volume.var()
    assert every.loc["volume", "explained"] == pytest.approx(explained_by_truth, abs=0.05)


def test_a_wrong_chart_is_found_out():
    heads = _heads(200, bend=3)
    for knots, found in ((2, True), (3, False)):
        percentiles, explained = held_out_percentiles(heads, MEASURES, knots)
        table = calibration_table(percentiles, MEASURES, explained).set_index("measure")
        assert (table.loc["thickness", "p_holm"].min() < 0.001) == found
        assert table.loc["volume", "p_holm"].min() > 0.05


def test_a_head_is_placed_without_the_heads_of_its_subject():
    heads = _heads(60)
    outlier = heads.iloc[[0, 0]].assign(subject="twice", thickness=[40.0, 40.0])
    percentiles, _ = held_out_percentiles(pd.concat([heads, outlier], ignore_index=True), MEASURES, folds=61)
    assert percentiles["thickness"].iloc[-2:].tolist() == pytest.approx([60.5 / 61] * 2)  # beyond all 60 others


def test_wrong_folds_are_refused():
    with pytest.raises(ValueError, match="folds must be from 2 to 30, the number of subjects, got 31"):
        held_out_percentiles(_heads(30), MEASURES, folds=31)


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
