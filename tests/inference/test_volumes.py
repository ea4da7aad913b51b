# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from pydicom.data import get_testdata_file

from scripts.files.dicom import find_series
from scripts.inference.volumes import VolumeDataset, VolumeLoader, failure_reason, find_volumes
from tests.helpers.dicom_kinds import frames
from tests.helpers.volume_files import head, write_nifti, write_series


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def outputs(items):
    return {item["name"]: item["output"] for item in items}


def test_every_format_is_found_and_keeps_its_folder(tmp_path):
    touch(tmp_path / "a.nii", tmp_path / "b.nii.gz", tmp_path / "x/c.mha", tmp_path / "x/y/d.NRRD", tmp_path / "no.txt")
    assert outputs(find_volumes(tmp_path, tmp_path / "out")) == {
        "a.nii": "a_restored.nii.gz",
        "b.nii.gz": "b_restored.nii.gz",
        "x/c.mha": "x/c_restored.nii.gz",
        "x/y/d.NRRD": "x/y/d_restored.nii.gz",
    }


def test_bids_names_get_a_desc_entity(tmp_path):
    touch(tmp_path / "sub-01/anat/sub-01_T1w.nii.gz", tmp_path / "sub-02/ses-1/anat/sub-02_ses-1_acq-x_T1w.nii")
    assert set(outputs(find_volumes(tmp_path, tmp_path / "out")).values()) == {
        "sub-01/anat/sub-01_desc-restored_T1w.nii.gz",
        "sub-02/ses-1/anat/sub-02_ses-1_acq-x_desc-restored_T1w.nii.gz",
    }


def test_patterns_choose_files(tmp_path):
    touch(tmp_path / "sub-01_T1w.nii.gz", tmp_path / "sub-01_bold.nii.gz")
    assert list(outputs(find_volumes(tmp_path, tmp_path / "out", ["*_T1w.nii*"]))) == ["sub-01_T1w.nii.gz"]


def test_own_results_and_hidden_files_are_not_read(tmp_path):
    touch(
        tmp_path / "a.nii.gz", tmp_path / "._a.nii.gz", tmp_path / "out/a_restored.nii.gz", tmp_path / ".git/b.nii.gz"
    )
    assert list(outputs(find_volumes(tmp_path, tmp_path / "out"))) == ["a.nii.gz"]


def test_links_are_followed_once(tmp_path):
    touch(tmp_path / "in/a.nii.gz", tmp_path / "elsewhere/b.nii.gz")
    (tmp_path / "in/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/loop").symlink_to(tmp_path / "in")
    assert list(outputs(find_volumes(tmp_path / "in", tmp_path / "out"))) == ["a.nii.gz", "link/b.nii.gz"]


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    touch(tmp_path / "a.nii.gz", tmp_path / "closed/b.nii.gz")
    scandir = os.scandir

    def closed(path):  # permissions do not stop the administrator who may run this test
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    errors = {item["name"]: item["error"] for item in find_volumes(tmp_path, tmp_path / "out")}
    assert errors == {"a.nii.gz": "", "closed": "the folder cannot be opened (Permission denied)."}


@pytest.mark.parametrize("suffix", ["", ".dcm"])
def test_dicom_series_are_found_by_content(tmp_path, suffix):
    write_series(tmp_path / "one", head(), name="IM{:03d}" + suffix)
    (item,) = find_volumes(tmp_path, tmp_path / "out")
    assert (item["name"], item["output"], item["error"]) == ("one", "one_restored.nii.gz", "")
    assert item["series"]


def test_each_series_of_a_folder_has_a_result_of_its_own(tmp_path):
    write_series(tmp_path / "two", head(), series=3)
    write_series(tmp_path / "two", head(), series=7, name="b{:03d}.dcm")
    assert outputs(find_volumes(tmp_path, tmp_path / "out")) == {
        "two (series 3)": "two_series-3_restored.nii.gz",
        "two (series 7)": "two_series-7_restored.nii.gz",
    }


def test_series_in_the_given_folder_itself_are_called_by_its_name(tmp_path):
    write_series(tmp_path / "scan", head())
    assert outputs(find_volumes(tmp_path / "scan", tmp_path / "out")) == {"scan": "scan_restored.nii.gz"}


def test_a_file_that_only_claims_to_be_dicom_is_named(tmp_path):
    write_series(tmp_path / "one", head())
    touch(tmp_path / "one/broken.dcm")
    errors = {item["name"]: item["error"] for item in find_volumes(tmp_path, tmp_path / "out")}
    assert errors == {"one": "", "one/broken.dcm": "the file is not readable as DICOM."}


def test_without_packages_series_are_named_and_files_are_done(tmp_path, monkeypatch):
    write_series(tmp_path / "in/scan", head())
    write_nifti(tmp_path / "in/a.nii.gz")
    for package in ("pydicom", "dcm2niix", "itk"):
        monkeypatch.setitem(sys.modules, package, None)
    first, second = find_volumes(tmp_path / "in", tmp_path / "out")
    assert (first["name"], first["error"]) == ("a.nii.gz", "")
    assert second["name"] == "scan"
    assert "pip install itk, or 'brain-mri-autoencoders[dicom]'" in second["error"]


def test_a_folder_whose_listing_fails_does_not_stop_the_others(tmp_path, monkeypatch):
    for name in ("bad", "good"):
        write_series(tmp_path / "in" / name, head())

    def chokes(folder):
        if folder.name == "bad":
            raise RecursionError("too deep")
        return find_series(folder)

    monkeypatch.setattr("scripts.files.find_volumes.find_series", chokes)
    assert [item["error"] for item in find_volumes(tmp_path / "in", tmp_path / "out")] == ["too deep", ""]


def test_volumes_of_a_series_have_results_of_their_own(tmp_path):
    frames(tmp_path / "x/scan", 2)
    frames(tmp_path / "x/both", 2)
    write_series(tmp_path / "x/both", head(), series=4)
    assert outputs(find_volumes(tmp_path, tmp_path / "out")) == {
        "x/both (series 1, e1)": "x/both_series-1_e1_restored.nii.gz",
        "x/both (series 1, e2)": "x/both_series-1_e2_restored.nii.gz",
        "x/both (series 4)": "x/both_series-4_restored.nii.gz",
        "x/scan (e1)": "x/scan_e1_restored.nii.gz",
        "x/scan (e2)": "x/scan_e2_restored.nii.gz",
    }


def test_directories_and_reports_are_passed_over_and_counted(tmp_path):
    for name in ("DICOMDIR", "reportsi.dcm"):
        touch(tmp_path / name)
        shutil.copy(get_testdata_file(name, download=False), tmp_path / name)
    with pytest.raises(FileNotFoundError, match="no file is a DICOM image"):
        find_volumes(tmp_path, tmp_path / "out")
    write_series(tmp_path / "scan", head())
    shutil.copy(tmp_path / "reportsi.dcm", tmp_path / "scan")
    found = find_volumes(tmp_path, tmp_path / "out")
    assert [(item["name"], item["error"]) for item in found] == [("scan", "")]
    assert found.without_images == 3


def test_the_description_of_a_result_can_be_another(tmp_path):
    write_nifti(tmp_path / "in/sub-1_T1w.nii.gz")
    write_series(tmp_path / "in/scan", head())
    outputs = [item["output"] for item in find_volumes(tmp_path / "in", tmp_path / "out", description="decoded")]
    assert outputs == ["scan_decoded.nii.gz", "sub-1_desc-decoded_T1w.nii.gz"]


def test_nothing_found_names_the_patterns(tmp_path):
    touch(tmp_path / "a.txt")
    with pytest.raises(FileNotFoundError, match=r"no file called \* ends in one of \.nii, \.nii\.gz, .*, and no file"):
        find_volumes(tmp_path, tmp_path / "out")


def test_wrong_folders_are_refused(tmp_path):
    touch(tmp_path / "a.nii")
    with pytest.raises(FileNotFoundError, match=r"absent' does not exist: give a folder"):
        find_volumes(tmp_path / "absent", tmp_path / "out")
    with pytest.raises(NotADirectoryError, match=r"a\.nii' is a file: give the folder"):
        find_volumes(tmp_path / "a.nii", tmp_path / "out")
    with pytest.raises(ValueError, match=r"output_dir .* is dataset_dir: give another folder"):
        find_volumes(tmp_path, tmp_path / "x" / "..")


def test_a_failing_item_does_not_stop_the_next(tmp_path):
    write_nifti(tmp_path / "a.nii.gz")
    write_nifti(tmp_path / "b.nii.gz")

    def transform(item):
        if item["name"] == "a.nii.gz":
            raise ValueError("no good")
        return item

    dataset = VolumeDataset(find_volumes(tmp_path, tmp_path / "out"), transform)
    assert [item["error"] for item in dataset] == ["no good", ""]


def wrapped(inner):
    """An error as MONAI's ``apply_transform`` raises it."""
    error = RuntimeError("applying transform <object>")
    error.__cause__ = inner
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (wrapped(ValueError("first\n  second")), "first second"),
        (RuntimeError("/a/itkX.cxx:12:\nITK ERROR: GDCMImageIO(0x55d0): no pixels"), "no pixels"),
        (RuntimeError("/a/itkX.cxx:12:\nITK ERROR: File cannot be read: x"), "the file is truncated or damaged."),
        (PermissionError(13, "Permission denied", "/a/b"), "Permission denied."),
        (EOFError("end-of-stream"), "the file is truncated: it ends before its data do."),
        (MemoryError(), "there is not enough memory for it."),
    ],
)
def test_reasons_are_one_line_of_the_innermost_cause(error, reason):
    assert failure_reason(error) == reason


class Volumes:
    """Notes which volumes were read; ``sizes`` gives their voxels, 0 for one that cannot be read."""

    def __init__(self, sizes):
        self.sizes = sizes
        self.read = []
        self.threads = set()

    def __len__(self):
        return len(self.sizes)

    def __getitem__(self, index):
        self.threads.add(threading.current_thread())
        self.read.append(index)
        size = self.sizes[index]
        image = {"image": torch.full((1, size, 1, 1), float(index))} if size else {}
        return {"name": str(index), "error": "" if size else "bad", **image}


def read_when_used(sizes, num_workers, overlap_voxels=float("inf")):
    """For each volume, the ones that had been read some time after it was given."""
    volumes, seen = Volumes(sizes), []
    for index, batch in enumerate(VolumeLoader(volumes, num_workers, overlap_voxels)):
        assert batch["name"] == [str(index)]
        time.sleep(0.05)  # the reading threads have little to do
        seen.append(sorted(volumes.read))
    return seen


@pytest.mark.parametrize("num_workers", [0, 1, 2, 5])
def test_volumes_come_in_order_and_so_many_are_read_ahead(num_workers):
    seen = read_when_used([8] * 4, num_workers)
    assert seen == [list(range(min(4, index + 1 + num_workers))) for index in range(4)]


def test_nothing_is_read_ahead_of_a_large_volume():
    assert read_when_used([8, 9, 8, 8], 1, overlap_voxels=8) == [[0, 1], [0, 1], [0, 1, 2, 3], [0, 1, 2, 3]]


def test_a_bad_volume_does_not_stop_the_reading():
    seen = read_when_used([8, 0, 8], 1, overlap_voxels=8)
    assert seen[-1] == [0, 1, 2]


def test_an_abandoned_loop_leaves_no_thread():
    volumes = Volumes([8] * 9)
    batches = iter(VolumeLoader(volumes, 2))
    next(batches)
    batches.close()
    assert not any(thread.is_alive() for thread in volumes.threads - {threading.current_thread()})
    assert len(volumes.read) <= 3


def test_a_series_in_two_folders_is_no_volume_in_either(tmp_path):
    whole = write_series(tmp_path / "in/a", head())
    files = sorted(whole.iterdir())
    (tmp_path / "in/b").mkdir()
    for file in files[len(files) // 2 :]:
        file.rename(tmp_path / "in/b" / file.name)
    errors = {item["name"]: item["error"] for item in find_volumes(tmp_path / "in", tmp_path / "out")}
    assert list(errors) == ["a", "b"]
    assert errors["a"].startswith("slices of its series lie in the folder 'b', too: put the files of a series into one")
    shutil.copytree(tmp_path / "in/b", tmp_path / "copies/b")
    shutil.copytree(tmp_path / "in/b", tmp_path / "copies/c")
    assert [item["error"] for item in find_volumes(tmp_path / "copies", tmp_path / "out")] == ["", ""]
