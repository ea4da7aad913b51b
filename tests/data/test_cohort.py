# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.data.cohort import load_cohort, load_datalist
from scripts.data.describe import DATASET_FILE
from scripts.data.split import check_disjoint
from scripts.files.atomic import write_json


def _cohort(folder: Path, **parts: list[dict[str, Any]]) -> Path:
    folder.mkdir(exist_ok=True)
    write_json(folder / DATASET_FILE, {"name": "x", "training": [], "validation": [], "test": [], **parts})
    return folder


def _item(subject: str, image: str = "../heads/a.nii") -> dict[str, Any]:
    return {"image": image, "subject": subject, "slices": [3, 4], "sha256": f"of {subject}"}


def test_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "heads").mkdir()
    (tmp_path / "heads" / "a.nii").touch()
    (tmp_path / "heads" / "a_mask.nii").touch()
    _cohort(tmp_path / "data", test=[{**_item("a"), "mask": "../heads/a_mask.nii"}])
    monkeypatch.chdir(tmp_path)
    for dataset_dir in ("data", tmp_path / "data", tmp_path / "data" / DATASET_FILE):
        (item,) = load_datalist(dataset_dir, "test")
        assert item["image"] == str(tmp_path / "heads" / "a.nii")
        assert item["mask"] == str(tmp_path / "heads" / "a_mask.nii")
        assert item["slices"] == [3, 4]


def test_missing_cohort_names_the_command(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"dataset.json does not exist. Make it .* python -m scripts prepare"):
        load_cohort(tmp_path)


def test_empty_part_is_an_error(tmp_path: Path):
    _cohort(tmp_path, test=[_item("a")])
    with pytest.raises(ValueError, match=r"the training part of .* is empty \(training 0, validation 0, test 1\)"):
        load_datalist(tmp_path, "training")


def test_unknown_part_is_an_error(tmp_path: Path):
    with pytest.raises(ValueError, match="one of training, validation, test, got 'train'"):
        load_datalist(tmp_path, "train")


def test_missing_image_is_named(tmp_path: Path):
    _cohort(tmp_path, test=[_item("a", "gone.nii")])
    with pytest.raises(FileNotFoundError, match=r"the image of subject a, .*gone.nii, does not exist"):
        load_datalist(tmp_path, "test")


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"training": []})])
def test_not_a_cohort_is_an_error(tmp_path: Path, content: str):
    (tmp_path / DATASET_FILE).write_text(content)
    with pytest.raises(ValueError, match=r"dataset.json (is not JSON|must have the lists training, validation, test)"):
        load_cohort(tmp_path)


def test_subject_in_two_parts_is_refused(tmp_path: Path):
    _cohort(tmp_path, training=[_item("a"), _item("b")], validation=[_item("b")])
    with pytest.raises(ValueError, match="subject b is in two parts, training and validation"):
        load_cohort(tmp_path)


def test_same_content_in_two_parts_is_refused():
    items = [{**_item(name), "sha256": "same"} for name in "ab"]
    with pytest.raises(ValueError, match="sha256 same is in two parts"):
        check_disjoint({"training": items[:1], "validation": [], "test": items[1:]})


def test_write_json_replaces_and_leaves_nothing_else(tmp_path: Path):
    for number in (1, 2):
        write_json(tmp_path / "x.json", {"number": number})
    assert json.loads((tmp_path / "x.json").read_text()) == {"number": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]
