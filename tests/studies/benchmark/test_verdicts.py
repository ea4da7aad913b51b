# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scripts.evaluation.statistics import holm
from scripts.networks import THESIS_NETWORKS
from scripts.studies.benchmark.cells import Factors
from scripts.studies.benchmark.claims import CLAIMS
from scripts.studies.benchmark.comparisons import compare
from scripts.studies.benchmark.values import Quantity, Values
from scripts.studies.benchmark.verdicts import find_designs, finding, judge, verdict_table

NETWORKS = [network.__name__ for network in THESIS_NETWORKS.values()]
MEASURES = tuple(
    Quantity(kind, 3, region, metric)
    for kind, region in (("mixed", "head"), ("holes", "hole"))
    for metric in ("psnr", "dssim")
)


def row(difference=1.0, half=0.2, seed_half=0.3, p=0.001, seeds=3, metric="psnr"):
    return {
        "metric": metric, "difference": difference, "ci_low": difference - half, "ci_high": difference + half,
        "seed_low": difference - seed_half, "seed_high": difference + seed_half, "p_holm": p, "seeds": seeds,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (row(), "supports"),
        (row(difference=-1.0), "contradicts"),
        (row(difference=-0.01, half=0.001, seed_half=0.002, metric="dssim"), "supports"),  # lower is better
        (row(difference=0.01, half=0.001, seed_half=0.002, metric="dssim"), "contradicts"),
        (row(p=0.05), "open: not significant"),
        (row(seed_half=1.5), "open: seeds disagree"),
        (row(seeds=2), "open: 2 of at least 3 seeds"),
        (row(difference=0.01, half=0.05, seed_half=0.06, p=0.6), "contradicts: no difference that matters"),
        (row(difference=0.01, half=0.05, seed_half=0.2, p=0.6), "open: not significant"),
        (row(seeds=0, p=float("nan")), "open: 0 of at least 3 seeds"),
    ],
)
def test_rule_for_one_comparison(given, expected):
    assert finding(given) == expected


def experiment(gains, seeds=3, subjects=12, baselines=None):
    """A full factorial; ``gains(network, loss, l2, measure)`` in the metric's unit, higher is better."""
    rng = np.random.default_rng(0)
    models, found = {}, {}
    for network in NETWORKS:
        for loss in ("MSE", "DSSIM"):
            for l2 in (False, True):
                name = f"factorial_{network}_{loss}_{l2}"
                models[name] = Factors(network, "", loss, l2, "d", "x")
                means = np.array([gains(network, loss, l2, m) for m in MEASURES])
                scale = np.array([1 if m.metric == "psnr" else -0.01 for m in MEASURES])[:, None]
                found[name] = {
                    seed: scale * (means[:, None] + rng.normal(0, 0.02, (len(MEASURES), subjects)))
                    for seed in range(seeds)
                }
    fixed = {name: np.zeros((len(MEASURES), subjects)) + gain for name, gain in (baselines or {}).items()}
    values = Values("default", tuple(f"s{k}" for k in range(subjects)), MEASURES, found, fixed)
    designs = find_designs(models, {"default": values})
    statistics = pd.concat([compare(values, design.contrasts()) for design in designs])
    return {j.claim.name: j for j in judge(statistics, designs)}


def thesis(network, loss, l2, measure):
    """A world in which the thesis is right, except about holes and where it was never measured."""
    gain = {"ResidualUNet": 3.0, "SkipCAE": 1.0}.get(network, 0.0)
    gain += (1.0 if measure.metric == "psnr" else -1.0) * (loss == "MSE")
    return gain + (0.5 if loss == "DSSIM" else -0.5) * l2


def test_claims_hold_in_a_world_in_which_they_are_true():
    found = experiment(thesis)
    holding = ["best network", "skips and residual blocks", "DSSIM and structure", "MSE and intensity"]
    assert {name: found[name].verdict for name in holding} == dict.fromkeys(holding, "holds")
    assert found["L2 with DSSIM"].verdict == found["L2 with MSE"].verdict == "holds"
    assert found["DSSIM and holes"].verdict == "does not hold"  # better by DSSIM, worse by PSNR
    assert found["networks and holes"].verdict == found["augmentation"].verdict == "cannot tell"
    assert found["augmentation"].reason == "no two cells of this benchmark are a comparison for it"
    assert found["best network"].design == "factorial"


def test_one_network_that_is_as_good_takes_a_claim_down():
    found = experiment(lambda n, *rest: thesis("ResidualUNet" if n == "MyronenkoCAE" else n, *rest))
    assert found["best network"].verdict == "does not hold"
    assert "of 8 comparisons 6 support and 2 contradict it" in found["best network"].reason
    assert found["skips and residual blocks"].verdict == "holds"


def test_too_few_seeds_or_subjects_cannot_tell():
    few = experiment(thesis, seeds=2)
    assert {judgement.verdict for judgement in few.values()} == {"cannot tell"}
    assert "2 of at least 3 seeds" in few["best network"].reason
    small = experiment(thesis, subjects=5)  # the signed-rank test of five subjects cannot go below 0.06
    assert small["best network"].verdict == "cannot tell"
    assert "not significant" in small["best network"].reason


def test_networks_are_compared_with_inpainting_where_it_was_measured():
    found = experiment(lambda *_: 2.0, baselines={"biharmonic": 1.0, "input": 0.0})
    judgement = found["networks and holes"]
    assert set(judgement.evidence["b"]) == {"biharmonic"}
    assert len(judgement.evidence) == len(NETWORKS) * 2
    psnr = judgement.evidence[judgement.evidence["metric"] == "psnr"]
    assert psnr["difference"].to_numpy() == pytest.approx(1.0, abs=0.05)
    assert set(psnr["finding"]) == {"supports"}


def test_the_family_of_the_correction_is_all_comparisons_of_the_table():
    judgements = experiment(thesis)
    table = verdict_table(list(judgements.values()))
    measured = table.dropna(subset="p")
    assert measured["p_holm"].to_numpy() == pytest.approx(holm(measured["p"]))
    assert set(table["claim"]) == {claim.name for claim in CLAIMS}
    assert table[table["claim"] == "augmentation"]["verdict"].tolist() == ["cannot tell"]


def test_designs_are_named_after_what_their_models_have_in_common():
    one, other = Factors("SkipCAE", "", "MSE", False, "d", "x"), Factors("SkipCAE", "", "MSE", False, "d", "y")
    models = {"thesis_skip_mse": one, "thesis_unet_mse": one, "own": other, "thesis_big": other}
    values = Values("default", ("s",), MEASURES, {name: {} for name in models}, {"input": np.zeros((4, 1))})
    designs = find_designs(models, {"default": values})
    assert [design.name for design in designs] == ["thesis", "design_y"]
    assert designs[0].baselines == ("input",)
