# SPDX-License-Identifier: Apache-2.0
"""Charts of made-up cohorts: places, limits, and whether a wrong chart is found out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, norm

from scripts.normative import Measure, NormativeChart, calibration_table, held_out_percentiles

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
