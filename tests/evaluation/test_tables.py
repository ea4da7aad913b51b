# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from scripts.evaluation import bootstrap_interval, summarise


def table(psnr):
    """Rows for ``{method: [value per subject]}``."""
    return pd.DataFrame(
        {
            "subject": f"s{number}", "corruption": "mixed", "severity": 0, "region": "whole", "method": method,
            "mse": 10 ** (-value / 10), "psnr": value, "dssim": 0.1, "ssim": 0.8, "hfen": 0.2,
        }
        for method, values in psnr.items()
        for number, value in enumerate(values)
    )  # fmt: skip


def test_interval_of_the_mean_agrees_with_the_normal_theory():
    values = np.random.default_rng(0).normal(30, 2, 200)
    low, high = bootstrap_interval(values)
    half = 1.96 * values.std(ddof=1) / math.sqrt(len(values))
    assert (low, high) == (pytest.approx(values.mean() - half, abs=0.05), pytest.approx(values.mean() + half, abs=0.05))
    assert bootstrap_interval(values) == (low, high)  # seeded


@pytest.mark.parametrize("values", [[30.0], [math.inf, 30.0], [math.nan, 30.0]])
def test_one_subject_or_an_infinite_value_has_no_interval(values):
    assert all(math.isnan(end) for end in bootstrap_interval(values))


def test_summary_counts_subjects_and_pairs_them():
    summary = summarise(table({"network": [30.0, 31.0, 35.0], "input": [20.0, 22.0, 24.0]}))
    row = summary[(summary["method"] == "input") & (summary["metric"] == "psnr")].iloc[0]
    assert (row["n"], row["mean"], row["sd"]) == (3, 22, pytest.approx(2))
    assert row["gain"] == pytest.approx(10)
    assert row["ci_low"] <= row["mean"] <= row["ci_high"]
    assert 9 <= row["gain_low"] <= row["gain_high"] <= 11  # paired: the subjects' own spread cancels


def test_an_empty_region_does_not_count_and_one_subject_has_no_spread():
    rows = table({"network": [30.0, math.nan]})
    summary = summarise(rows)
    row = summary[summary["metric"] == "psnr"].iloc[0]
    assert (row["n"], row["mean"]) == (1, 30)
    assert math.isnan(row["sd"])
    assert math.isnan(row["ci_low"])


def test_no_error_at_all_stays_infinite():
    summary = summarise(table({"network": [30.0, 31.0], "input": [math.inf, math.inf]}))
    row = summary[(summary["method"] == "input") & (summary["metric"] == "psnr")].iloc[0]
    assert row["mean"] == math.inf
    assert math.isnan(row["ci_low"])
