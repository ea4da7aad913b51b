# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from scripts.__main__ import main
from scripts.commands.prepare import prepare
from scripts.data.cohort import load_cohort, load_datalist
from scripts.data.split import PARTS, split_hash
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
    write_nifti(heads / "labels/tiny_seg.nii", (head((20, 22, 18), 91) > 0).astype(np.uint8))
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
        "z_copy.nii.gz": "copy of p0.nii.gz, voxel for voxel",
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


def _report(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text())


def _parts(folder: Path, key: str = "subject") -> list[set[str]]:
    cohort = load_cohort(folder)
    return [{item[key] for item in cohort[part]} for part in PARTS]


def test_brats_folder_is_one_subject_a_patient(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """BRATS 1, uni-medical/SAM-Med3D 47: contrasts of a patient in training and test, tumour labels as brain masks."""
    root = tmp_path / "brats"
    for number, contrast in product(range(10), ("t1", "t1ce", "t2", "flair", "seg")):
        name = f"BraTS20_Training_{number:03d}"
        write_nifti(root / name / f"{name}_{contrast}.nii", head((20, 22, 18), number * 10 + len(contrast)), MATRIX)
    assert main(["prepare", str(root), str(tmp_path / "data"), "--selection", "nonzero_count"]) == 0
    cohort = load_cohort(tmp_path / "data")
    items = [item for part in PARTS for item in cohort[part]]
    assert [len(cohort[part]) for part in PARTS] == [7, 2, 1]
    assert all(item["image"].endswith("_t1.nii") and not {"label", "mask"} & set(item) for item in items)
    report = _report(tmp_path / "data")
    assert len(report["left_out"]) == 30
    assert {Path(one["file"]).stem[-3:] for one in report["not_used"]} == {"seg"}
    assert report["told_by"] == {"BraTS": 10}
    printed = capsys.readouterr().out
    assert "_flair.nii and 7 more: it is FLAIR, not T1-weighted." in printed
    assert "_seg.nii and 7 more: it is a segmentation of a tumour." in printed


def test_links_to_nothing_are_named(heads: Path, tmp_path: Path):
    """bids-standard/pybids 631."""
    (heads / "q_T1.nii.gz").symlink_to(".git/annex/objects/q")
    with pytest.raises(ValueError, match=r"1 of 9 images were left out:\n  q_T1.nii.gz: the link leads to nothing"):
        prepare(str(heads), str(tmp_path / "data"))
    assert [one["file"] for one in _report(tmp_path / "data")["left_out"]] == ["q_T1.nii.gz"]


def test_a_head_under_another_name_is_in_no_second_part(heads: Path, tmp_path: Path):
    volume = nib.load(heads / "p3.nii.gz")
    nib.save(nib.Nifti1Image(volume.get_fdata(), volume.affine), heads / "z.nii")
    write_nifti(heads / "z_ses-2.nii", head((20, 22, 18), 99), MATRIX)
    for seed in (0, 1):
        with pytest.raises(ValueError, match=r"1 of 10 images .*\n  z.nii: it is a copy of p3.nii.gz, voxel for voxel"):
            prepare(str(heads), str(tmp_path / "data"), seed=seed, selection="nonzero_count")
        assert sum({"p3", "z"} <= part for part in _parts(tmp_path / "data")) == 1  # the other image of z is p3's


def test_two_files_of_one_name_have_a_mask_each(tmp_path: Path):
    """mlcommons/GaNDLF 553: results of two images of one patient were written over each other."""
    folder = _heads(tmp_path / "heads", ["a", "b", "c"])
    write_nifti(folder / "a.nii", head((20, 22, 18), 50), MATRIX)
    prepare(str(folder), str(tmp_path / "data"), fractions=(0, 0, 1))
    masks = {Path(item["image"]).name: item["mask"] for item in load_datalist(tmp_path / "data", "test")}
    assert len(set(masks.values())) == 4
    assert all(Path(mask).is_file() for mask in masks.values())
    assert Path(masks["b.nii.gz"]).name == "b_mask.nii.gz"


def test_a_doubt_is_shown_and_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    folder = _heads(tmp_path / "heads", [f"{name}_{n}" for name in ("anna", "bert", "carl") for n in (1, 2)])
    prepare(str(folder), str(tmp_path / "data"))
    (warning,) = _report(tmp_path / "data")["warnings"]
    assert warning.startswith("anna_1, anna_2; bert_1, bert_2; carl_1, carl_2: names that differ so little")
    assert "--subject_pattern" in warning
    assert caplog.messages == [f"warning: {warning}"]
    prepare(str(folder), str(tmp_path / "data"), subject_pattern="(?P<subject>[a-z]+)_", fractions=(0, 0, 1))
    assert _parts(tmp_path / "data")[2] == {"anna", "bert", "carl"}
    assert _report(tmp_path / "data")["warnings"] == []


@pytest.mark.parametrize(
    ("rows", "warning", "known"),
    [
        # bids-standard/legacy-validator 1674 and mne-tools/mne-bids 1065
        (["1\t30\tF", "2\t40\tM"], "2 names are spelled otherwise, for example 1 is taken for sub-01", 2),
        (["sub-01\t30\tx"], "sub-01: participants.tsv, row 2: sex 'x' is neither M nor F", 1),
        (["x\t30\tF"], "age and sex are unknown: no subject of .* the table is of x", 0),
        (["sub-01\t30\tF\t1"], "age and sex are unknown: .*participants.tsv, row 2, has 4 cells", 0),
    ],
)
def test_participants_that_do_not_fit_are_said(tmp_path: Path, rows: list[str], warning: str, known: int):
    names = [f"sub-0{n}/anat/sub-0{n}_T1w" for n in (1, 2, 3)]
    folder = _heads(tmp_path / "bids", names, labels=False)
    (folder / "participants.tsv").write_text("\n".join(["participant_id\tage\tsex", *rows]))
    prepare(str(folder), str(tmp_path / "data"), selection="nonzero_count")
    (said,) = _report(tmp_path / "data")["warnings"]
    assert re.search(warning, said)
    assert sum("age" in item for part in PARTS for item in load_cohort(tmp_path / "data")[part]) == known


def test_the_split_has_a_name_that_does_not_depend_on_the_place(heads: Path, tmp_path: Path):
    hashes = []
    for place in ("data", "far/away/data"):
        prepare(str(heads), str(tmp_path / place))
        hashes.append(_report(tmp_path / place)["split"])
        assert split_hash(load_cohort(tmp_path / place)) == hashes[-1]
    prepare(str(heads), str(tmp_path / "data"), seed=7)
    assert hashes[0] == hashes[1] != _report(tmp_path / "data")["split"]


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_results_that_cannot_be_written_end_it_before_the_work(heads: Path, tmp_path: Path, capsys, place: str):
    (tmp_path / "file").touch()
    assert main(["prepare", str(heads), str(tmp_path / place)]) == 1
    error = capsys.readouterr().err
    assert re.fullmatch(rf"error: the results cannot be written into .*{place} \(.+\). Give another folder.\n", error)


def test_a_full_disk_is_no_fault_of_the_images(heads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nibabel.save", full)
    with pytest.raises(OSError, match="No space left on device"):
        prepare(str(heads), str(tmp_path / "data"))
    assert _files(tmp_path / "data") == []


def test_names_that_no_line_can_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = _heads(tmp_path / "heads", ["a", "b", "c"])
    for name in ("x\ny_T1.nii", b"\xff_T1.nii".decode("utf-8", "surrogateescape")):
        (folder / name).write_text("no image")
        write_nifti(folder / name.replace("T1", "T2"))
    assert main(["prepare", str(folder), str(tmp_path / "data")]) == 1
    printed = capsys.readouterr()
    assert "  'x\\ny_T1.nii': the file is not an image" in printed.err
    assert "  '\\udcff_T1.nii': the file is not an image" in printed.err
    assert "left out: 'x\\ny_T2.nii', '\\udcff_T2.nii': it is T2-weighted" in printed.out


def test_paths_are_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name in ("$print(1)", "@in#1", "2024"):
        _heads(tmp_path / name, ["a", "b", "c"], labels=False)
        assert main(["prepare", name, f"{name}/data", "--selection", "nonzero_count"]) == 0
        assert len(load_cohort(f"{name}/data")["test"]) == 1


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
