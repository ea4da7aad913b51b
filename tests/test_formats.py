# SPDX-License-Identifier: Apache-2.0
"""Every format through the inference config: what is restored, refused, warned of, and said without being done."""

from __future__ import annotations

import gzip
import json
import logging
import os

import itk
import nibabel as nib
import numpy as np
import pytest

from tests.helpers.restoring import restore_folder
from tests.helpers.volume_files import affine, head, write_itk, write_nifti, write_series


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path


def report(folder):
    return json.loads((folder / "out/report.json").read_text())


def write_all(place):
    """A file of each format that is read, named after its ending, and some that are not."""
    volume, matrix = head().astype(np.int16), affine("LAS", tilt=0.1)
    for kind, name in {
        nib.Nifti1Image: "nii.nii",
        nib.Nifti2Image: "nii2.nii.gz",
        nib.Nifti1Pair: "pair.hdr",
        nib.MGHImage: "mgz.mgz",
    }.items():
        nib.save(kind(volume, matrix), place / name)
    for name in ("mha.mha", "mhd.mhd", "nrrd.nrrd", "nhdr.nhdr"):
        write_itk(place / name, volume)
    write_series(place / "scan", volume)
    (place / "readme.txt").write_text("text")


RESTORED = {"nii", "nii2", "pair", "mgz", "mha", "mhd", "nrrd", "nhdr", "scan"}


def test_each_format_is_restored_on_its_own_grid(folder):
    write_all(folder / "in")
    assert restore_folder(folder) is None
    assert {path.name for path in (folder / "out").glob("*.nii.gz")} == {f"{name}_restored.nii.gz" for name in RESTORED}
    for name in RESTORED:
        image = nib.load(folder / f"out/{name}_restored.nii.gz")
        np.testing.assert_array_equal(image.get_fdata(), head().astype(np.int16), err_msg=name)
        if name in ("nii", "nii2", "pair", "mgz"):
            np.testing.assert_allclose(image.affine, affine("LAS", tilt=0.1), atol=1e-4, err_msg=name)
    assert report(folder)["other_files"] == {".txt": 1}
    first = {path.name: path.read_bytes() for path in (folder / "out").glob("*.nii.gz")}
    assert restore_folder(folder) is None
    assert {path.name: path.read_bytes() for path in (folder / "out").glob("*.nii.gz")} == first  # equal bytes


def test_the_stored_type_comes_back_from_every_format(folder):
    write_all(folder / "in")
    assert restore_folder(folder, dtype="input") is None
    for name in RESTORED:
        image = nib.load(folder / f"out/{name}_restored.nii.gz")
        assert image.get_data_dtype() == np.int16, name
        np.testing.assert_array_equal(np.asarray(image.dataobj), head().astype(np.int16), err_msg=name)


def test_what_is_not_read_is_named_and_never_hangs(folder):
    place = folder / "in"
    write_nifti(place / "good.nii.gz")
    for name in (
        "a.mnc",
        "b+orig.HEAD",
        "b+orig.BRIK.gz",
        "c.img",
        "d.PAR",
        "d.REC",
        "e.zip",
        "f.nii.bz2",
        "notes.pdf",
    ):
        (place / name).write_bytes(b"x" * 200)
    nib.save(nib.AnalyzeImage(head().astype(np.int16), None), place / "analyze.hdr")
    os.mkfifo(place / "pipe.nii.gz")
    (place / "folder.nii.gz").mkdir()
    (place / "gone.nii.gz").symlink_to(place / "nowhere")
    assert restore_folder(folder).startswith("error: 9 of 10 volumes were skipped")
    reasons = {entry["name"]: entry["reason"] for entry in report(folder)["skipped"]}
    for name, part in {
        "a.mnc": "(MINC): convert it to NIfTI, with mnc2nii.",
        "b+orig.HEAD": "(AFNI): convert it to NIfTI, with 3dAFNItoNIFTI.",
        "c.img": "put its .hdr beside it",
        "d.PAR": "(Philips PAR/REC)",
        "e.zip": "(an archive): unpack it.",
        "f.nii.bz2": "(an archive): unpack it.",
        "analyze.hdr": "does not tell left from right",
        "pipe.nii.gz": "a named pipe",
        "gone.nii.gz": "leads to nothing",
    }.items():
        assert part in reasons.pop(name)
    assert not reasons
    assert report(folder)["other_files"] == {".pdf": 1}


def test_a_header_cannot_name_data_outside_the_folder(folder):
    secret = folder / "secret.raw"
    secret.write_bytes(head().tobytes())
    image = itk.image_from_array(np.ascontiguousarray(head().T))
    for suffix, old in ((".mhd", b"ElementDataFile = a.raw"), (".nhdr", b"data file: a.raw")):
        path = folder / f"in/a{suffix}"
        itk.imwrite(image, str(path))
        for index, target in enumerate(("../secret.raw", str(secret))):
            new = old.replace(b"a.raw", target.encode())
            (folder / f"in/b{index}{suffix}").write_bytes(path.read_bytes().replace(old, new))
        path.unlink()
    assert restore_folder(folder).startswith("error: 4 of 4 volumes were skipped")
    assert all("only data in it or beside it are read" in entry["reason"] for entry in report(folder)["skipped"])


@pytest.mark.parametrize("size", [0.002, 2000.0])
def test_absurd_voxels_and_bombs_are_refused_in_a_line(folder, size):
    write_nifti(folder / "in/size.nii.gz", head(), affine("PSR", (size, size, size)))
    bomb = write_nifti(folder / "in/bomb.nii.gz")
    bomb.write_bytes(gzip.compress(gzip.decompress(bomb.read_bytes()) + bytes(30_000_000)))
    write_nifti(folder / "in/wide.nii.gz", head(), affine("PSR", (90.0, 80.0, 2.0)))
    assert restore_folder(folder, max_memory=0.05).startswith("error: 3 of 3 volumes were skipped")
    reasons = {entry["name"]: entry["reason"] for entry in report(folder)["skipped"]}
    assert "Is the unit of its header right" in reasons["size.nii.gz"]
    assert "longer than its header says" in reasons["bomb.nii.gz"]
    assert "more than max_memory (0.05 GB) allows" in reasons["wide.nii.gz"]


def test_warnings_are_in_the_report_the_sidecar_and_the_log(folder, caplog):
    write_nifti(folder / "in/a.nii.gz")
    logging.disable(logging.NOTSET)
    with caplog.at_level(logging.WARNING, "scripts"):
        assert restore_folder(folder) is None
    (entry,) = report(folder)["restored"]
    assert entry["plane"] == "sagittal"
    assert "it covers only 34 mm: the network learnt whole heads." in entry["warnings"]
    assert json.loads((folder / "out/a_restored.json").read_text())["Restoration"]["warnings"] == entry["warnings"]


def test_thick_slices_are_restored_in_their_plane(folder):
    write_nifti(folder / "in/thick.nii.gz", head((40, 40, 16)), affine("RAS", (1.0, 1.0, 6.0)))
    assert restore_folder(folder) is None
    (entry,) = report(folder)["restored"]
    assert (entry["plane"], entry["resampled"]) == ("axial", False)
    assert any(line.startswith("slices of 6 mm: restored in the axial plane") for line in entry["warnings"])
    assert restore_folder(folder, plane="sagittal") is None
    (entry,) = report(folder)["restored"]
    assert (entry["plane"], entry["resampled"]) == ("sagittal", True)
    assert any("--plane axial" in line for line in entry["warnings"])


def test_a_dry_run_says_what_a_run_does_and_writes_nothing(folder, capsys):
    write_all(folder / "in")
    (folder / "in/cut.nii.gz").write_bytes((folder / "in/nii2.nii.gz").read_bytes()[:-300])
    (folder / "in/minc.mnc").write_bytes(b"x")
    before = sorted(folder.rglob("*"))
    assert restore_folder(folder, dry_run=True) is None
    assert [path for path in sorted(folder.rglob("*")) if path not in before] == [folder / "weights.pt"]
    said = capsys.readouterr().err
    for name in RESTORED:
        assert f"as {name}_restored.nii.gz" in said
    assert "skipped cut.nii.gz: the file is truncated" in said
    assert "skipped minc.mnc: it is of a format that is not read here (MINC)" in said
    assert "passed over 1 files that are no images: 1 .txt" in said
    assert "dry run: 9 volumes would be restored, 2 skipped; nothing was written" in said
    assert restore_folder(folder).startswith("error: 2 of 11 volumes were skipped")
