# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

from scripts.files.bids import described_name, write_derivative_description


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("head", "head_restored"),
        ("sub-01_T1w", "sub-01_desc-restored_T1w"),
        ("sub-01_ses-a_run-2_T1w", "sub-01_ses-a_run-2_desc-restored_T1w"),
        ("sub-01_desc-n4_T1w", "sub-01_desc-n4Restored_T1w"),
        ("sub-01", "sub-01_restored"),
        ("mysub-01_T1w", "mysub-01_T1w_restored"),
    ],
)
def test_described_name(stem, expected):
    assert described_name(stem, "restored") == expected


def test_a_derivative_is_described_only_where_the_input_is_bids(tmp_path):
    source, results = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    results.mkdir()
    write_derivative_description(source, results, "name", "1.2", "log.json")
    assert not list(results.iterdir())
    (source / "dataset_description.json").write_text("{}")
    write_derivative_description(source, results, "name", "1.2", "log.json")
    description = json.loads((results / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"] == [{"Name": "name", "Version": "1.2"}]
