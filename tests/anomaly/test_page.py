# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scripts.anomaly import AnomalyMapper, DifferenceOfGaussians, WorkingGrid
from scripts.anomaly.calibration import LINES
from scripts.anomaly.evaluation import LesionTests
from scripts.anomaly.page import curve_figure, profile_figure, write_evaluation_page, write_head_page, write_index
from scripts.anomaly.tables import summary_table
from tests.helpers.toy_scores import toy_calibration, toy_head, toy_volume

LESION_MM = -1.0
"""Height of the middle of the toy head's lesion."""


@pytest.fixture(scope="module")
def mapper() -> AnomalyMapper:
    head = toy_head(7)
    detector = DifferenceOfGaussians()
    brain = toy_volume(replace(head, image=head.brain.float()))
    return AnomalyMapper(detector, toy_calibration(detector), WorkingGrid(lambda volume: brain))


@pytest.fixture(scope="module")
def ill(mapper):
    return mapper(toy_volume(toy_head(7, lesion=0.5)), warnings=["a contrast that is <not> T1"])


def test_a_page_shows_findings_trust_and_blindness(mapper, ill, tmp_path):
    path = tmp_path / "head.html"
    write_head_page(path, "head.nii.gz", toy_volume(toy_head(7, lesion=0.5)), ill, mapper, {"Detector": "toy"})
    page = path.read_text(encoding="utf-8")
    assert page.index("a contrast that is &lt;not&gt; T1") < page.index("clusters are called at p of at most 0.05")
    assert "right temporal lobe, white matter" in page
    assert "under 0.05" in page
    assert "Detector: toy" in page
    assert page.index("What this map cannot see") > page.index("How far the numbers can be trusted")
    assert len(re.findall(r"\d+ of \d+ found", page)) >= 10
    assert len(re.findall(r'src="data:image/png;base64,', page)) == 5
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_no_finding_is_no_proof_of_health(mapper, tmp_path, monkeypatch):
    monkeypatch.setattr("scripts.anomaly.page.grade", lambda *arguments: [])
    head = toy_head(8)
    write_head_page(tmp_path / "p.html", "h", toy_volume(head), mapper(toy_volume(head)), mapper, {})
    assert "That is no proof of health" in (tmp_path / "p.html").read_text(encoding="utf-8")


def test_the_curve_shows_how_far_heads_differ(mapper, ill):
    axis = curve_figure(mapper.calibrated(), ill).axes[0]
    own = next(line for line in axis.lines if line.get_label() == "this head")
    assert np.interp(2.0, *own.get_data()) == pytest.approx(100 * ill.share, rel=1e-3)
    assert [text.get_text() for text in axis.get_legend().get_texts()] == [
        "expected", "all healthy heads", "nine of ten", "median healthy head", "this head",
    ]  # fmt: skip
    shares = mapper.calibrated().spread()[2.0]
    for band, ends in zip(axis.collections, ((0, 1), (0.05, 0.95)), strict=True):
        (path,) = band.get_paths()
        drawn = path.vertices[path.vertices[:, 0] == 2.0, 1]
        assert (drawn.min(), drawn.max()) == pytest.approx(tuple(100 * np.quantile(shares, ends)))
    old = curve_figure(replace(mapper.calibrated(), above=[]), ill).axes[0]
    assert "healthy heads" in [text.get_text() for text in old.get_legend().get_texts()]
    assert len(mapper.calibrated().spread()) == len(LINES)


def test_the_profile_rises_at_the_lesion(ill):
    axis = profile_figure(ill).axes[0]
    heights, shares = axis.lines[0].get_data()
    assert heights[int(np.argmax(shares))] == pytest.approx(LESION_MM, abs=6)
    assert np.all(np.diff(heights) > 0)
    assert [text.get_text() for text in axis.texts[1:]] == [str(one.index) for one in ill.table]


def test_the_index_leads_to_every_head(tmp_path: Path):
    one = {"name": "a b.nii", "page": "a b_anomaly.html", "clusters": 2, "share_above_line": 0.0132, "warnings": ["w"]}
    page = write_index(tmp_path, [one], [{"name": "c.nii", "reason": "damaged"}]).read_text(encoding="utf-8")
    assert 'href="a%20b_anomaly.html">a b.nii: 2 clusters, 1.32 % above 2, with warnings' in page
    assert "damaged" in page


def test_an_evaluation_shows_the_lesions_that_it_misses(mapper, tmp_path):
    tests = LesionTests({"dog": mapper}, ["bright", "mass_effect"])
    tests.add_healthy(toy_head(1), {"subject": "s"}, 0)
    missed = sum(not row["found_called"] for row in tests.lesions)
    write_evaluation_page(tmp_path / "e.html", tests, summary_table(tests))
    page = (tmp_path / "e.html").read_text(encoding="utf-8")
    assert f"Of {len(tests.lesions)} synthetic lesions {missed} have no called cluster on them by dog" in page
    assert page.count("data:image/png") == 1
    assert "average_precision" in page
