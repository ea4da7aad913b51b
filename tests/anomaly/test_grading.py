# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch

from scripts.anomaly import AnomalyMapper, Detector, DifferenceOfGaussians, Head, WorkingGrid
from scripts.anomaly.grading import GradedLesion, grade, share_table, view_of
from tests.helpers.toy_scores import toy_calibration, toy_head


class SeesBrightness(Detector):
    """What is brighter than the healthy head, and by a lot."""

    def __init__(self, healthy: Head) -> None:
        self.healthy = healthy

    def __call__(self, head: Head) -> torch.Tensor:
        return DifferenceOfGaussians()(self.healthy) + 100 * (head.image - self.healthy.image - 0.2).clamp(min=0)


@pytest.fixture(scope="module")
def graded() -> list[GradedLesion]:
    head = toy_head(8)
    mapper = AnomalyMapper(SeesBrightness(head), toy_calibration(DifferenceOfGaussians()), WorkingGrid(lambda v: v))
    called = np.zeros(head.brain.shape, dtype=int)
    called[:26] = 1
    return grade(mapper, head, called)


def test_lesions_are_found_by_what_the_detector_sees(graded):
    strong = [one for one in graded if one.contrast > 0.35 and one.kind == "bright" and one.diameter_mm > 8]
    assert sum(one.found for one in strong) >= len(strong) - 1 > 0
    assert not any(one.found for one in graded if one.kind in ("dark", "wrong_texture"))


def test_the_table_counts_each_lesion_once(graded):
    table = share_table(graded)
    counts = [int(text.split()[2]) for text in table.iloc[:, 1:].to_numpy().ravel() if " of " in text]
    assert sum(counts) == len(graded)
    assert table["contrast 0.35 to 0.5"].iloc[2].endswith("found")
    assert table["any contrast"].iloc[:3].tolist() == [""] * 3


def test_views_show_the_lesion_in_the_middle(graded):
    assert all(one.view.shape == one.outline.shape == (33, 33) for one in graded)
    assert all(one.outline[16, 16] for one in graded)
    assert share_table([])["any contrast"].iloc[-1] == "no room for any"


def test_the_right_side_is_on_the_left_of_a_view():
    volume = np.zeros((3, 40, 40))
    volume[1, 18, 25] = 1  # in front of the centre, and to its right
    assert np.argwhere(view_of(volume, (1, 20, 20))).tolist() == [[14, 11]]


def test_called_clusters_stay_untouched(monkeypatch):
    head, seen = toy_head(8), []
    monkeypatch.setattr("scripts.anomaly.grading.put_lesions", lambda image, free, *rest: (seen.append(free), 0, []))
    called = np.zeros(head.brain.shape, dtype=int)
    called[20:24] = 1
    grade(None, head, called)
    assert not seen[0][18:26].any()
    assert (seen[0][27:] == head.brain.numpy()[27:]).all()
    assert grade(None, head, np.ones_like(called)) == []
