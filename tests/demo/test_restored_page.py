# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from monai.data import MetaTensor

from scripts.demo.restored_page import RestoredHead, write_head_page, write_index
from scripts.demo.self_test import SelfTest
from tests.helpers.toy_scores import toy_head, toy_volume

GOOD = SelfTest(False, (28.0, 29.0), 0.9, 0.991, 0.982)
DAMAGED = {"verdict": "damaged", "reason": "damaged: noise (severity 4 of 5)", "filled_voxels": 1234}
OUTSIDE = {"verdict": "outside", "reason": "outside of the training (probability 0.94): not T1-weighted."}


def restored(change: float = 0.0, **facts: object) -> RestoredHead:
    volume = 500 * toy_volume(toy_head(2))
    after = volume.as_tensor().clone()
    after[:, 20:30, 25:35, 18:26] += change
    return RestoredHead("a <b>.nii", volume, after, None, {"spacing_mm": [2.0, 2.0, 2.0], **facts})


def page_of(head: RestoredHead, test: SelfTest, folder: Path) -> str:
    write_head_page(folder / "p.html", head, test)
    return re.sub(r"base64,[^\"]+", "", (folder / "p.html").read_text(encoding="utf-8"))


def test_a_damaged_head_is_tested_by_what_it_was_restored_to(tmp_path):
    head = restored(60.0, warnings=["it looks <odd>"], **DAMAGED)
    page = page_of(head, GOOD, tmp_path)
    for text in (
        "Restoration of a &lt;b&gt;.nii", "it looks &lt;odd&gt;", "Damaged. Found: noise (severity 4 of 5).",
        "<td>1,234</td>", "0.6 % of the volume", "28.0 to 29.0 dB (+1.0)", "<td>90 %</td>", "99.1 %", "98.2 %",
        "put into the restored head, since it came damaged,", '<p class="judgement green">GREEN: known damage',
    ):  # fmt: skip
        assert text in page
    assert page.count("data:image/png") == 1
    assert torch.equal(head.best.as_tensor(), head.after)


def test_outside_is_red_and_says_why(tmp_path):
    page = page_of(restored(**OUTSIDE), replace(GOOD, outside=True), tmp_path)
    for text in (
        "came back as it was, bit for bit. Outside of the training (probability 0.94).", "Red: the volume",
        '<p class="judgement red">RED: the volume lies outside', "The gate was switched off for it",
        "Nothing: every voxel is as it came", "this head as it came and restored",
    ):  # fmt: skip
        assert text in page


@pytest.mark.parametrize(
    ("verdict", "words"), [("fine", "Fine: no damage was found"), ("", "No verdict was asked for")]
)
def test_other_verdicts_are_in_plain_words(verdict, words, tmp_path):
    facts = {"verdict": verdict, "reason": "fine: no damage was found"} if verdict else {}
    page = page_of(restored(**facts), replace(GOOD, contrast_kept=None, holes_recovered=None), tmp_path)
    assert words in page
    assert "no room for any" in page
    assert "AMBER" in page


def test_uncertainty_is_a_column_more_and_may_be_missing_everywhere(tmp_path):
    head = restored(60.0, **DAMAGED)
    for values in (torch.full_like(head.after, 7.0), torch.full_like(head.after, torch.nan)):
        page = page_of(replace(head, uncertainty=values), GOOD, tmp_path)
        assert "how uncertain the result is" in page


def test_a_head_on_a_large_offset_is_the_same_head(tmp_path):
    head = restored(60.0, **DAMAGED)
    moved = replace(head, before=MetaTensor(head.before.as_tensor() - 1000, affine=head.before.affine))
    pages = [page_of(one, GOOD, tmp_path) for one in (head, replace(moved, after=head.after - 1000))]
    first, second = (page[page.index("<h2>Numbers") :] for page in pages)
    assert first == second
    assert "% of the head" in first


def test_the_index_names_the_judgement_and_what_has_no_page(tmp_path):
    entries = [
        {"name": "a b.nii", "page": "a b_restored.html", "verdict": "fine", "self_test": {"judgement": "red"}},
        {"name": "c.nii", "verdict": "fine"},
    ]
    page = write_index(tmp_path, entries, [{"name": "c.nii", "reason": "no page: damaged"}]).read_text("utf-8")
    assert 'href="a%20b_restored.html">RED: a b.nii, fine' in page
    assert "1 heads, of them 1 red" in page
    assert "no page: damaged" in page
