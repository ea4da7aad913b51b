# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import wilcoxon

from scripts.evaluation.statistics import holm
from scripts.studies.benchmark.cells import Factors
from scripts.studies.benchmark.comparisons import (
    Contrast,
    compare,
    contrasts_of_pairs,
    matched_contrast,
    summarise_models,
)
from scripts.studies.benchmark.values import Quantity, Values
from scripts.studies.benchmark.verdicts import Pairs

PSNR, DSSIM = Quantity("mixed", 3, "head", "psnr"), Quantity("mixed", 3, "head", "dssim")


def values(models, baselines=None, subjects=12, measures=(PSNR,)):
    """``models``: name to the gain of each seed in dB; each subject has its own level and its own small deviation."""
    rng = np.random.default_rng(0)
    level = rng.normal(30, 2, subjects)

    def array(gain):
        psnr = level + gain + rng.normal(0, 0.05, subjects)
        return np.stack([psnr if m.metric == "psnr" else 1 / psnr for m in measures])

    return Values(
        data="default",
        subjects=tuple(f"s{k}" for k in range(subjects)),
        measures=measures,
        models={name: {seed: array(gain) for seed, gain in enumerate(gains)} for name, gains in models.items()},
        baselines={name: array(gain) for name, gain in (baselines or {}).items()},
    )


def test_pairs_are_tested_over_subjects_and_corrected_within_one_measure():
    found = values({"a": [1.0, 1.2], "b": [0.0, 0.1], "c": [0.0, 0.1]}, {"input": -5.0}, measures=(PSNR, DSSIM))
    table = compare(found, contrasts_of_pairs(found))
    assert len(table) == 6 * 2  # four rows make six pairs
    row = table[(table["a"] == "a") & (table["b"] == "b") & (table["metric"] == "psnr")].iloc[0]
    difference = found.of("a", [0, 1]).mean(axis=0)[0] - found.of("b", [0, 1]).mean(axis=0)[0]
    assert row["difference"] == pytest.approx(difference.mean())
    assert row["difference"] == pytest.approx(1.05, abs=0.1)
    assert row["p"] == pytest.approx(wilcoxon(difference).pvalue)
    assert (row["n"], row["seeds"], row["effect"], row["better"]) == (12, 2, 1.0, "a")
    for metric in ("psnr", "dssim"):
        family = table[table["metric"] == metric]
        assert family["p_holm"].to_numpy() == pytest.approx(holm(family["p"]))
    worse = table[(table["a"] == "a") & (table["b"] == "b") & (table["metric"] == "dssim")].iloc[0]
    assert worse["difference"] < 0
    assert worse["better"] == "a"  # a lower DSSIM is better
    assert (table[table["a"] == "b"].set_index(["b", "metric"]).loc["c", "better"] == "").all()


def test_a_baseline_is_the_same_for_every_seed():
    found = values({"a": [1.0, 1.2, 0.8]}, {"input": 0.0})
    row = compare(found, [Contrast("a", "input", (("a", "input"),))]).iloc[0]
    seeds = [(found.models["a"][seed] - found.baselines["input"]).mean() for seed in range(3)]
    assert row["seed_sd"] == pytest.approx(np.std(seeds, ddof=1))
    assert row["seeds"] == 3


def test_models_without_a_common_seed_have_no_spread_between_seeds():
    found = values({"a": [1.0], "b": [0.0]})
    found.models["b"][7] = found.models["b"].pop(0)
    row = compare(found, contrasts_of_pairs(found)).iloc[0]
    assert row["difference"] == pytest.approx(1.0, abs=0.1)
    assert row["seeds"] == 0
    assert math.isnan(row["seed_sd"])


def test_an_untouched_image_has_no_difference_but_a_summary():
    found = values({"a": [1.0]}, {"input": 0.0})
    found.baselines["input"][:] = np.inf
    assert compare(found, contrasts_of_pairs(found)).empty
    row = summarise_models(found).set_index("model").loc["input"]
    assert (row["mean"], row["n"]) == (math.inf, 12)
    assert math.isnan(row["ci_low"])


def test_a_region_that_no_subject_has_is_left_out():
    found = values({"a": [1.0]})
    found.models["a"][0][:] = np.nan
    assert summarise_models(found).empty


def cell(network="net", loss="MSE", l2=False, damage="d", variant="", design="x"):
    return Factors(network, variant, loss, l2, damage, design)


def test_only_models_that_are_equal_in_all_else_are_matched():
    models = {
        "a": cell(loss="DSSIM"),
        "b": cell(loss="MSE"),
        "c": cell(loss="DSSIM", l2=True),
        "d": cell(loss="MSE", l2=True),
        "e": cell(loss="MSE", l2=True, damage="none"),
        "f": cell(network="other"),
    }
    found = matched_contrast("DSSIM", "MSE", models, ({"loss": "DSSIM"}, {"loss": "MSE"}), "x")
    assert found.pairs == (("a", "b"), ("c", "d"))
    restricted = ({"loss": "DSSIM", "l2": True}, {"loss": "MSE", "l2": True})
    assert matched_contrast("DSSIM", "MSE", models, restricted, "x").pairs == (("c", "d"),)


def test_matched_pairs_are_averaged():
    found = values({"a": [3.0], "b": [1.0], "c": [1.0], "d": [0.0]})
    row = compare(found, [Contrast("left", "right", (("a", "b"), ("c", "d")), "x")]).iloc[0]
    assert row["difference"] == pytest.approx(1.5, abs=0.1)
    assert (row["pairs"], row["design"]) == (2, "x")


def test_a_pair_is_found_in_both_directions():
    found = values({"a": [1.0], "b": [0.0]}, measures=(PSNR, DSSIM))
    pairs = Pairs(compare(found, contrasts_of_pairs(found)))
    there, back = pairs.gain("default", PSNR, "a", "b"), pairs.gain("default", PSNR, "b", "a")
    assert there.mean == pytest.approx(-back.mean)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.low <= there.mean <= there.high
    assert pairs.gain("default", DSSIM, "a", "b").mean > 0  # positive is better for every metric
    assert there.matters
    assert pairs.gain("default", PSNR, "a", "unknown") is None
