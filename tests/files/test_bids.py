# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

from scripts.files.bids import derived_fields, described_name, write_derivative_description


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
    assert description["DatasetLinks"] == {"raw": source.as_uri()}
    assert (results / ".bidsignore").read_text() == "log.json\n"


def test_what_is_there_is_kept(tmp_path):
    source, results = tmp_path / "in", tmp_path / "out"
    for folder in (source, results):
        folder.mkdir()
        (folder / "dataset_description.json").write_text("{}")
    (results / ".bidsignore").write_text("mine.txt")
    for _ in range(2):
        write_derivative_description(source, results, "name", "1.2", "log.json")
    assert (results / "dataset_description.json").read_text() == "{}"
    assert (results / ".bidsignore").read_text() == "mine.txt\nlog.json\n"


@pytest.mark.parametrize(
    ("name", "sidecar", "expected"),
    [
        ("a b_T1w.nii.gz", None, {"Sources": ["bids:raw:a%20b_T1w.nii.gz"], "SkullStripped": False}),
        ("sub-1_res-2_T1w.nii", None, {"Resolution": "voxels of 2 x 2.5 x 1 mm"}),
        ("sub-1_res-2_T1w.nii.gz", '{"Resolution": "2 mm", "EchoTime": 3}', {"Resolution": "2 mm"}),
        ("sub-1_T1w.nii.gz", '{"SkullStripped": true}', {"SkullStripped": True}),
        ("sub-1_space-x_T1w.nii.gz", "half a", {"SpatialReference": "bids:raw:sub-1_space-x_T1w.nii.gz"}),
        ("sub-1_space-x_T1w.nii.gz", "[1]", {"SpatialReference": "bids:raw:sub-1_space-x_T1w.nii.gz"}),
    ],
)
def test_fields_of_what_is_derived(tmp_path, name, sidecar, expected):
    (tmp_path / "dataset_description.json").touch()
    if sidecar is not None:
        (tmp_path / f"{name.partition('.')[0]}.json").write_text(sidecar)
    fields = derived_fields(tmp_path / name, tmp_path, (2.0, 2.5, 1.0), skull_stripped=False)
    assert fields == {"Sources": [f"bids:raw:{name.replace(' ', '%20')}"], "SkullStripped": False, **expected}


def test_outside_bids_a_source_is_a_path(tmp_path):
    fields = derived_fields(tmp_path / "x/head.nii", tmp_path, (), skull_stripped=True)
    assert fields == {"Sources": ["x/head.nii"], "SkullStripped": True}
