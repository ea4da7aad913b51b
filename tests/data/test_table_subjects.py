# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from scripts.data.table_subjects import TableSubjects


@pytest.mark.parametrize(
    ("subjects", "name", "subject"),
    [
        (["sub-01", "sub-02"], "sub-01", "sub-01"),
        # mne-bids 1065, datalad 2056: a participants.tsv without sub-
        (["sub-CQ2", "sub-BT4"], "CQ2", "sub-CQ2"),
        # legacy-validator 1674: ds003620 and ds003800 lack the zeros of their folders
        (["sub-001", "sub-002"], "sub-1", "sub-001"),
        (["sub-001", "sub-002"], "2", "sub-002"),
        (["OAS1_0001"], "OAS1_0001_MR2", "OAS1_0001"),
        (["sub-OAS30001"], "OAS30001", "sub-OAS30001"),
        (["IXI012"], "IXI012-HH-1211", "IXI012"),
        (["anna"], "Anna", "anna"),
        (["sub-1", "sub-01"], "1", None),  # either
        (["sub-1", "sub-01"], "sub-01", "sub-01"),
        (["a10"], "a1", None),
        (["a1"], "b1", None),
    ],
)
def test_whom_a_name_means(subjects: list[str], name: str, subject: str | None):
    assert TableSubjects(subjects)(name) == subject


def test_other_spellings_are_said():
    names = TableSubjects(["sub-001", "sub-002", "sub-003"])
    assert [names(name) for name in ("1", "2", "sub-003", "x")] == ["sub-001", "sub-002", "sub-003", None]
    assert names.doubts("t.tsv") == ["t.tsv: 2 names are spelled otherwise, for example 1 is taken for sub-001."]
    assert names.unknown == "x"
    assert TableSubjects(["a"]).doubts("t.tsv") == []
