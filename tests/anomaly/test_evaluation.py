# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pandas as pd
import pytest
import torch

from scripts.anomaly import AnomalyMapper, DifferenceOfGaussians, Head, Reconstructing, WorkingGrid
from scripts.anomaly.evaluation import LesionTests
from scripts.anomaly.tables import in_words, save_tables, summary_table
from tests.helpers.toy_scores import toy_calibration, toy_head


class KnowsBetter(Reconstructing):
    """Rebuilds half of what differs from the healthy head, and adds 0.01 everywhere."""

    def __init__(self) -> None:
        self.healthy = torch.zeros(0)

    def reconstruct(self, image: torch.Tensor) -> torch.Tensor:
        return (image + self.healthy) / 2 + 0.01

    def __call__(self, head: Head) -> torch.Tensor:
        return DifferenceOfGaussians()(head)


@pytest.fixture(scope="module")
def tests() -> LesionTests:
    calibration, grid = toy_calibration(DifferenceOfGaussians()), WorkingGrid(lambda volume: volume)
    knows = KnowsBetter()
    mappers = {
        "dog": AnomalyMapper(DifferenceOfGaussians(), calibration, grid),
        "knows": AnomalyMapper(knows, calibration, grid),
    }
    tests = LesionTests(mappers, ["soft_ellipsoid"])
    for seed, (age, sex) in enumerate([(20, "F"), (40, "M"), (60, "F")]):
        head = toy_head(seed)
        knows.healthy = head.image
        tests.add_healthy(head, {"subject": f"s{seed}", "age": age, "sex": sex}, seed)
    return tests


def test_every_detector_has_a_row_for_each_head_with_and_without_lesions(tests):
    heads = pd.DataFrame(tests.heads)
    assert heads.groupby(["detector", "kind"]).size().tolist() == [3] * 4
    ill = heads[heads["kind"] == "soft_ellipsoid"]
    assert (ill["average_precision"] > 0.2).all()
    assert (ill["best_dice"] >= ill["dice_at_line"]).all()
    assert (ill["dice_of_called"] > 0.2).any()
    assert heads.loc[heads["kind"] == "healthy", "average_precision"].isna().all()
    head, healthy = toy_head(0), heads[(heads["kind"] == "healthy") & (heads["detector"] == "dog")]
    inside = tests.mappers["dog"].values(head)[head.brain]
    assert healthy["share_above_line"].iloc[0] == pytest.approx(float((inside > 2).float().mean()))
    own = ill[ill["detector"] == "knows"]
    assert own["undone"].to_numpy() == pytest.approx(0.75, abs=0.1)
    assert own["error_elsewhere"].to_numpy() == pytest.approx(0.01, abs=0.005)


def test_the_summary_counts_heads(tests, tmp_path):
    table = summary_table(tests).set_index(["detector", "kind", "measure", "group"])
    healthy = table.loc["dog", "healthy", "share_above_line"]
    assert healthy["n"].to_dict() == {
        "all": 3,
        "sex F": 2,
        "sex M": 1,
        "age 20 to 33": 1,
        "age 33 to 47": 1,
        "age 47 to 60": 1,
    }
    assert healthy.loc["all", "mean"] == pytest.approx(0.01, abs=0.005)
    found = table.loc["dog", "soft_ellipsoid", "found", "all"]
    assert 0 < found["ci_low"] <= found["mean"] <= 1
    assert table.loc["dog", "soft_ellipsoid", "pooled_average_precision", "all"]["mean"] > 0.2
    assert "dog, soft_ellipsoid: average precision 0." in in_words(summary_table(tests))
    assert [file.name for file in save_tables(tests, tmp_path)] == ["heads.csv", "lesions.csv", "summary.csv"]
