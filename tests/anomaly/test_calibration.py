# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from scripts.anomaly import Calibration, HealthyScores
from scripts.anomaly.calibration import LINE, depth_of
from tests.helpers.toy_scores import SHAPE, toy_head

BRAIN = toy_head().brain


def noise(seed: int) -> torch.Tensor:
    """Scores without neighbours in common, larger at the surface."""
    scores = torch.from_numpy(np.random.default_rng(seed).exponential(size=SHAPE)).float()
    scores[BRAIN] *= torch.from_numpy(np.where(depth_of(BRAIN) == 0, 3.0, 1.0)).float()
    return scores


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return Calibration.learn([HealthyScores(noise(seed)[BRAIN].numpy(), BRAIN) for seed in range(20)], "noise")


def test_one_percent_of_each_layer_of_a_new_head_is_above_the_line(calibration):
    above = [(calibration(noise(seed), BRAIN)[BRAIN] > LINE).numpy() for seed in range(100, 110)]
    layers = depth_of(BRAIN)
    for layer in np.unique(layers):
        assert np.mean([one[layers == layer].mean() for one in above]) == pytest.approx(0.01, rel=0.2)
    assert np.mean(calibration.shares) == pytest.approx(0.01, rel=0.05)


def test_values_are_minus_log10_p_and_zero_outside(calibration):
    found = calibration(noise(200), BRAIN)
    assert found[~BRAIN].abs().max() == 0
    for level in (1.0, 2.0, 3.0):
        assert float((found[BRAIN] > level).float().mean()) == pytest.approx(10**-level, rel=0.3)


def test_heads_count_alike_whatever_their_size():
    small = toy_head().brain.clone()
    small[:, :30] = False
    healthy = [HealthyScores(np.full(int(mask.sum()), value) + np.linspace(0, 1e-3, int(mask.sum())), mask)
               for mask, value in ((BRAIN, 0.0), (BRAIN, 0.0), (BRAIN, 0.0), (BRAIN, 0.0), (small, 1.0))]  # fmt: skip
    calibration = Calibration.learn(healthy, "steps")
    assert np.interp(0.5, calibration.quantiles[0], np.arange(0, 4.05, 0.05)) == pytest.approx(-np.log10(0.2), abs=0.1)


def test_p_of_clusters_are_ranks_among_heads(calibration):
    strongest = np.array(calibration.strongest)
    assert calibration.p_of_clusters(np.array([strongest.max() + 1])) == pytest.approx([1 / 21])
    assert calibration.p_of_clusters(np.array([strongest.max()])) == pytest.approx([2 / 21])
    assert calibration.p_of_clusters(np.array([-1.0])) == pytest.approx([1.0])
    assert calibration.smallest_p == pytest.approx(1 / 21)


def test_false_clusters_and_discovery_rates():
    made = Calibration("made", 10, "", [], [0.01] * 10, [0, 0, 0, 0, 0, 1, 2, 2, 3, 4], [1, 2, 2, 3, 4])
    assert made.false_clusters(np.array([2.0, 3.5, 5.0])) == pytest.approx([0.4, 0.1, 0.0])
    assert made.strength_at(0.2) == 2
    assert made.strength_at(1.0) == 0
    rates = made.false_discovery_rates(np.array([5.0, 3.5, 0.5]))
    assert rates == pytest.approx([1 / 11, (0.1 + 1 / 11) / 2, (0.5 + 1 / 11) / 3])


def test_a_file_gives_the_same_map(calibration, tmp_path):
    calibration.save(tmp_path / "c.json")
    read = Calibration.load(tmp_path / "c.json")
    torch.testing.assert_close(read(noise(5), BRAIN), calibration(noise(5), BRAIN), atol=1e-3, rtol=0)
    assert read.heads == 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 0}, "another version"),
        ({"depths_mm": [1, 2, 3]}, "another version"),
        ({"quantiles": [[1.0]]}, "another version"),
        ({"colour": "red"}, "damaged"),
        ({"heads": "many"}, "damaged"),
    ],
)
def test_another_file_is_refused(calibration, tmp_path, change, message):
    calibration.save(tmp_path / "c.json")
    content = json.loads((tmp_path / "c.json").read_text()) | change
    (tmp_path / "c.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        Calibration.load(tmp_path / "c.json")


def test_no_file_and_too_few_heads(tmp_path):
    with pytest.raises(FileNotFoundError, match="--calibrate CONTROLS"):
        Calibration.load(tmp_path / "no.json")
    with pytest.raises(ValueError, match="4 healthy heads are too few"):
        Calibration.learn([HealthyScores(noise(seed)[BRAIN].numpy(), BRAIN) for seed in range(4)], "noise")


def test_a_head_is_measured_beside_the_others_alone():
    odd = HealthyScores(noise(99)[BRAIN].numpy() + 100, BRAIN)
    healthy = [HealthyScores(noise(seed)[BRAIN].numpy(), BRAIN) for seed in range(6)]
    assert Calibration.learn([*healthy, odd], "noise").shares[-1] == 1.0
