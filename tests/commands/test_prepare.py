# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from scripts.__main__ import main
from scripts.commands.prepare import prepare
from scripts.data.cohort import load_cohort, load_datalist
from scripts.data.split import PARTS
from tests.helpers.volume_files import affine, head, write_nifti

MATRIX = affine(spacing=(4.0, 4.0, 4.0))


def _heads(folder: Path, names: list[str], labels: bool = True) -> Path:
    for seed, name in enumerate(names):
        volume = head((20, 22, 18), seed)
        write_nifti(folder / f"{name}.nii.gz", volume, MATRIX)
        if labels:
            write_nifti(folder / "labels" / f"{name}_seg.nii.gz", (volume > 0).astype(np.uint8), MATRIX)
    return folder


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    return _heads(tmp_path / "heads", [f"p{i}" for i in range(8)])


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_cohort_of_a_plain_folder(heads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    prepare(str(heads), str(tmp_path / "data"), fractions=(0.5, 0.25, 0.25), name="eight")
    cohort = load_cohort(tmp_path / "data")
    assert [len(cohort[part]) for part in PARTS] == [4, 2, 2]
    assert (cohort["name"], cohort["plane"], cohort["seed"], cohort["strata"]) == ("eight", "sagittal", 0, [])
    assert cohort["selection"] == {"rule": "brain", "threshold": 2636.7188}
    item = load_datalist(tmp_path / "data", "test")[0]
    assert item["shape"] == [22, 20, 18]
    assert item["spacing_mm"] == [4.0, 4.0, 4.0]
    brain = nib.load(item["mask"])
    np.testing.assert_allclose(brain.affine, MATRIX)
    areas = np.count_nonzero(np.asarray(brain.dataobj), axis=(0, 1)) * 16.0
    assert item["slices"] == np.flatnonzero(areas > 2636.7188).tolist() != []
    assert _files(tmp_path / "data") == [
        "cohort.png",
        "dataset.json",
        *[f"masks/p{i}_mask.nii.gz" for i in range(8)],
        "report.json",
    ]
    assert "subjects: training 4, validation 2, test 2" in capsys.readouterr().out


def test_paths_are_relative_so_that_the_folders_can_move_together(heads: Path, tmp_path: Path):
    prepare(str(heads), str(tmp_path / "data"), fractions=(0, 0, 1))
    (tmp_path / "elsewhere").mkdir()
    for name in ("heads", "data"):
        (tmp_path / name).rename(tmp_path / "elsewhere" / name)
    assert len(load_datalist(tmp_path / "elsewhere" / "data", "test")) == 8


def test_every_nth_slice_is_kept_and_no_head_is_lost(heads: Path, tmp_path: Path):
    for n in (1, 3, 100):
        prepare(str(heads), str(tmp_path / str(n)), fractions=(0, 0, 1), every_nth_slice=n)
    full, third, one = (load_cohort(tmp_path / n) for n in ("1", "3", "100"))
    assert third["selection"]["every_nth_slice"] == 3
    for item, of_three, of_all in zip(full["test"], third["test"], one["test"], strict=True):
        assert of_three["slices"] == item["slices"][1::3]
        assert of_all["slices"] == [item["slices"][len(item["slices"]) // 2]]


def test_same_command_same_file(heads: Path, tmp_path: Path):
    for name in ("one", "two"):
        prepare(str(heads), str(tmp_path / name), seed=4)
    assert (tmp_path / "one/dataset.json").read_bytes() == (tmp_path / "two/dataset.json").read_bytes()
    prepare(str(heads), str(tmp_path / "two"), seed=5)
    assert (tmp_path / "one/dataset.json").read_bytes() != (tmp_path / "two/dataset.json").read_bytes()


def test_bids_tree_with_sessions_masks_and_participants(tmp_path: Path):
    bids = tmp_path / "bids"
    for number in range(1, 5):
        for session in ("ses-1", "ses-2"):
            stem = f"sub-{number}_{session}"
            volume = head((20, 22, 18), number * 10 + int(session[-1]))
            write_nifti(bids / f"sub-{number}/{session}/anat/{stem}_T1w.nii.gz", volume, MATRIX)
            write_nifti(
                bids / f"derivatives/m/sub-{number}/{session}/anat/{stem}_desc-brain_mask.nii.gz",
                (volume > 0).astype(np.uint8),
                MATRIX,
            )
    rows = ["participant_id\tage\tsex", "sub-1\t20\tF", "sub-2\t30\tM", "sub-3\tn/a\tF", "sub-4\t70\tM"]
    (bids / "participants.tsv").write_text("\n".join(rows))
    prepare(str(bids), str(tmp_path / "data"), fractions=(0.5, 0.25, 0.25))
    cohort = load_cohort(tmp_path / "data")
    assert [len(cohort[part]) for part in PARTS] == [4, 2, 2]  # both sessions of a subject in one part
    assert cohort["strata"] == ["age_group", "sex"]
    items = {(item["subject"], item["session"]): item for part in PARTS for item in cohort[part]}
    assert (items["sub-2", "ses-2"]["age"], items["sub-2", "ses-2"]["sex"]) == (30.0, "M")
    assert "age" not in items["sub-3", "ses-1"]
    assert items["sub-1", "ses-1"]["mask"].startswith("../bids/derivatives")
    assert not (tmp_path / "data" / "masks").exists()
    assert json.loads((tmp_path / "data/report.json").read_text())["unknown"]["age"] == ["sub-3"]


@pytest.mark.parametrize("selection", ["nonzero_count", "nonzero_mean"])
def test_intensity_rules_need_no_brain(tmp_path: Path, selection: str):
    folder = _heads(tmp_path / "heads", ["a", "b"], labels=False)
    prepare(str(folder), str(tmp_path / "data"), selection=selection, fractions=(0, 0, 1), plane="axial")
    cohort = load_cohort(tmp_path / "data")
    kept = sum(len(item["slices"]) for item in cohort["test"])
    assert 0 < kept < 2 * 22
    assert cohort["selection"]["rule"] == selection
    assert cohort["test"][0]["shape"] == [20, 18, 22]


def test_bad_files_are_named_and_the_rest_is_done(heads: Path, tmp_path: Path):
    write_nifti(heads / "four.nii", np.zeros((20, 22, 18, 3), np.float32))
    write_nifti(heads / "thin.nii", head((20, 22, 4)))
    write_nifti(heads / "nan.nii", np.full((20, 22, 18), np.nan, np.float32))
    write_nifti(heads / "flat.nii", np.full((20, 22, 18), 7, np.float32))
    (heads / "text.nii.gz").write_text("no image")
    (heads / "cut.nii.gz").write_bytes((heads / "p0.nii.gz").read_bytes()[:2000])
    (heads / "z_copy.nii.gz").write_bytes((heads / "p0.nii.gz").read_bytes())
    write_nifti(heads / "small.nii", head((20, 22, 18), 90))
    write_nifti(heads / "labels/small_seg.nii", np.ones((20, 22, 17), np.uint8))
    write_nifti(heads / "tiny.nii", head((20, 22, 18), 91))
    write_nifti(heads / "labels/tiny_seg.nii", (np.indices((20, 22, 18)).sum(0) < 3).astype(np.uint8))
    with pytest.raises(ValueError, match=r"9 of 17 images were left out:") as error:
        prepare(str(heads), str(tmp_path / "data"))
    reasons = {
        one["file"]: one["reason"] for one in json.loads((tmp_path / "data/report.json").read_text())["left_out"]
    }
    expected = {
        "cut.nii.gz": "truncated|read",
        "flat.nii": "constant, every voxel is 7",
        "four.nii": "four-dimensional",
        "nan.nii": "NaN",
        "small.nii": r"small_seg.nii is on another grid, \(20, 22, 17\) instead of \(20, 22, 18\)",
        "text.nii.gz": "",
        "thin.nii": "at least 16 voxels",
        "tiny.nii": "no slice is kept",
        "z_copy.nii.gz": "copy of p0.nii.gz, byte for byte",
    }
    assert sorted(reasons) == sorted(expected)
    for name, reason in reasons.items():
        assert re.search(expected[name], reason)
        assert "\n" not in reason
        assert f"\n  {name}: {reason}" in str(error.value)
    assert sum(len(load_cohort(tmp_path / "data")[part]) for part in PARTS) == 8


def test_nothing_usable_writes_no_cohort(tmp_path: Path):
    for name in "abc":
        (tmp_path / "heads").mkdir(exist_ok=True)
        (tmp_path / "heads" / f"{name}.nii").write_text("no image")
    with pytest.raises(ValueError, match=r"none of the 3 images .* is usable, nothing was written:\n  a.nii: "):
        prepare(str(tmp_path / "heads"), str(tmp_path / "data"))
    assert _files(tmp_path / "data") == ["report.json"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"selection": "deepbrain"}, "selection must be one of brain, nonzero_count, nonzero_mean, got 'deepbrain'"),
        ({"fractions": (0.5, 0.5)}, "fractions must be three numbers between 0 and 1 that sum to 1"),
        ({"fractions": (0.7, 0.2, 0.2)}, r"that sum to 1 .*, got \[0.7, 0.2, 0.2\]"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"every_nth_slice": 0}, "every_nth_slice must be at least 1, got 0"),
        ({"plane": "side"}, "plane 'side' is unknown: choose one of sagittal, coronal, axial"),
        ({"demographics": "no.csv"}, "no.csv does not exist"),
    ],
    ids=str,
)
def test_wrong_values_are_one_clear_line(heads: Path, tmp_path: Path, options: dict, message: str):
    with pytest.raises((ValueError, FileNotFoundError), match=message) as error:
        prepare(str(heads), str(tmp_path / "data"), **options)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "data").exists()


def test_a_table_of_other_subjects_is_refused(heads: Path, tmp_path: Path):
    (tmp_path / "table.csv").write_text("subject,age\nq1,30\n")
    with pytest.raises(
        ValueError, match=r"no subject of .*heads is in .*table.csv: the images are of p0, .* is of q1, "
    ):
        prepare(str(heads), str(tmp_path / "data"), demographics=str(tmp_path / "table.csv"))


def test_rows_may_carry_the_whole_ixi_name(tmp_path: Path):
    folder = _heads(tmp_path / "heads", ["IXI007-HH-1_T1", "IXI008-HH-2_T1"])
    (tmp_path / "table.csv").write_text("subject,age_years,sex\nIXI007-HH-1,33,F\n")
    prepare(str(folder), str(tmp_path / "data"), demographics=str(tmp_path / "table.csv"), fractions=(0, 0, 1))
    first, second = load_datalist(tmp_path / "data", "test")
    assert (first["subject"], first["age"], first["sex"], first["site"]) == ("IXI007", 33.0, "F", "HH")
    assert "age" not in second
    assert json.loads((tmp_path / "data/report.json").read_text())["without_row"] == ["IXI008"]


def test_too_few_subjects_are_refused_before_the_work(tmp_path: Path):
    folder = _heads(tmp_path / "heads", ["a", "b"])
    with pytest.raises(ValueError, match=r"2 subject\(s\) cannot fill 3 parts"):
        prepare(str(folder), str(tmp_path / "data"))


def test_command_line(heads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (heads / "text.nii.gz").write_text("no image")
    words = ["prepare", str(heads), "--fractions", "0,0,1", "--name", "2024", "--every-nth-slice", "2"]
    assert main([*words, str(tmp_path / "data")]) == 1
    cohort = load_cohort(tmp_path / "data")
    assert len(cohort["test"]) == 8
    assert cohort["name"] == "2024"
    assert cohort["selection"]["every_nth_slice"] == 2
    printed = capsys.readouterr()
    assert "subjects: training 0, validation 0, test 8, balanced by nothing" in printed.out
    assert "error: 1 of 9 images were left out:\n  text.nii.gz: " in printed.err
    assert "reading heads" in printed.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--selektion=brain"], "there is no option --selektion. Did you mean --selection?"),
        (["--plane", "side"], "--plane: must be one of sagittal, coronal, axial, got 'side'"),
        (["--seed", "1.5"], "--seed: must be a whole number of at least 0, got '1.5'"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_before_the_work(heads, tmp_path, capsys, words, message):
    assert main(["prepare", str(heads), str(tmp_path / "data"), *words]) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")
    assert not (tmp_path / "data").exists()
