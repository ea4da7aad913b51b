# SPDX-License-Identifier: Apache-2.0
"""Series of many kinds, whose voxels and affine are known, by both readers."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import dcm2niix
import numpy as np
import pytest
from pydicom.data import get_testdata_file

from scripts.files import dicom, dicom_convert
from scripts.files.dicom import find_series, read_volume
from tests.helpers.dicom_files import PATIENT
from tests.helpers.dicom_kinds import BOTH, ONLY_DCM2NIIX, deflated, frames, mosaics, numbered, one, scaled, several

OWN_FILES = (
    "693_J2KI.dcm", "CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_expb.dcm",
    "MR_small_implicit.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_padded.dcm",
    "examples_overlay.dcm",
)  # fmt: skip


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)
    dicom._listed.cache_clear()


def images(folder: Path):
    volumes = find_series(folder).volumes
    assert [volume.error for volume in volumes] == [""] * len(volumes)
    return [read_volume(folder, volume.series) for volume in volumes]


def assert_read(folder: Path, expected, affine, off: float = 1e-6) -> None:
    found = images(folder)
    assert len(found) == len(expected)
    for image, voxels in zip(found, expected, strict=True):
        np.testing.assert_allclose(image.dataobj, voxels, rtol=1e-6, atol=1e-4)
        np.testing.assert_allclose(image.affine, affine, rtol=0, atol=off)


@pytest.mark.parametrize("package", ["dcm2niix", "itk"])
@pytest.mark.parametrize("kind", BOTH)
def test_dcm2niix_and_itk_agree(kind, package, tmp_path, monkeypatch):
    expected = BOTH[kind](tmp_path / "in")
    without(monkeypatch, "itk" if package == "dcm2niix" else "dcm2niix")
    assert_read(tmp_path / "in", *expected, off=1e-3 if kind == "positions to 1e-3 mm" else 1e-6)


@pytest.mark.parametrize("kind", ONLY_DCM2NIIX)
def test_dcm2niix_reads(kind, tmp_path):
    off = 2e-5 if kind.startswith("mosaic") else 1e-6  # their grid is dcm2niix's, of 24 bits
    assert_read(tmp_path / "in", *ONLY_DCM2NIIX[kind](tmp_path / "in"), off=off)


def both(folder: Path, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        without(patch, "itk")
        by_dcm2niix = images(folder)
    without(monkeypatch, "dcm2niix")
    return zip(by_dcm2niix, images(folder), strict=True)


@pytest.mark.parametrize("name", OWN_FILES)
def test_they_agree_on_files_of_pydicom(name, tmp_path, monkeypatch):
    shutil.copy(get_testdata_file(name, download=False), tmp_path)
    ((first, second),) = both(tmp_path, monkeypatch)
    np.testing.assert_array_equal(first.dataobj, second.dataobj)
    plane = (slice(3), [0, 1, 3])  # of a single slice, they take its thickness from elsewhere
    np.testing.assert_allclose(first.affine[plane], second.affine[plane], rtol=0, atol=2e-5)


def test_they_agree_on_a_series_of_pydicom(tmp_path, monkeypatch):
    folder = Path(get_testdata_file("DICOMDIR", download=False)).parent / "98892001" / "CT5N"
    ((first, second),) = both(folder, monkeypatch)
    assert first.shape == (16, 16, 5)
    np.testing.assert_array_equal(first.dataobj, second.dataobj)
    np.testing.assert_allclose(first.affine, second.affine, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (frames, "enhanced files"),
        (lambda folder: mosaics(folder, 1), "mosaics"),
        (lambda folder: scaled(folder, "ACME"), "slopes that differ between slices"),
        (lambda folder: several(folder, numbered(int), numbered(lambda k: k + 50)), "series of several volumes"),
        (lambda folder: one(folder, PhotometricInterpretation="MONOCHROME1"), "pixels of MONOCHROME1"),
    ],
)
def test_without_dcm2niix_what_itk_reads_wrongly_is_refused(make, kind, tmp_path, monkeypatch):
    make(tmp_path / "in")
    without(monkeypatch, "dcm2niix")
    (volume,) = find_series(tmp_path / "in").volumes
    assert volume.error == f"{kind} need the package dcm2niix: pip install 'brain-mri-autoencoders[dicom]'."
    with pytest.raises(ValueError, match="need the package dcm2niix"):
        read_volume(tmp_path / "in", volume.series)


def test_without_either_the_packages_are_named(tmp_path, monkeypatch):
    one(tmp_path / "in")
    without(monkeypatch, "dcm2niix", "itk")
    (volume,) = find_series(tmp_path / "in").volumes
    assert volume.error.startswith("DICOM needs the packages dcm2niix and pydicom: pip install")


def test_without_pydicom_headers_are_read_by_itk(tmp_path, monkeypatch):
    expected = one(tmp_path / "in")
    frames(tmp_path / "enhanced")
    without(monkeypatch, "pydicom")
    assert_read(tmp_path / "in", *expected)
    assert "enhanced files need the package pydicom" in find_series(tmp_path / "enhanced").volumes[0].error


def test_a_compression_that_dcm2niix_does_not_know_is_left_to_itk(tmp_path, monkeypatch):
    expected = one(tmp_path / "in", finish=deflated)
    assert_read(tmp_path / "in", *expected)
    without(monkeypatch, "itk")
    with pytest.raises(ValueError, match="dcm2niix cannot convert it"):
        images(tmp_path / "in")


def test_nothing_is_written_beside_the_files_or_left_behind(tmp_path, monkeypatch):
    one(tmp_path / "in")
    several(tmp_path / "two", numbered(int), numbered(lambda k: k + 50))
    before = sorted(path for path in tmp_path.rglob("*"))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(dicom_convert.tempfile, "tempdir", str(scratch))
    assert len(images(tmp_path / "in") + images(tmp_path / "two")) == 3
    assert list(scratch.iterdir()) == []
    scratch.rmdir()
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_what_is_written_anew_has_no_patient(tmp_path, monkeypatch):
    written = []

    def convert(scaling, source, target, headers):
        written.extend(file.read_bytes() for file in source.glob("volume.dcm"))
        raise ValueError("enough")

    frames(tmp_path, 2, Manufacturer="SIEMENS")
    monkeypatch.setattr(dicom_convert, "_by_dcm2niix", convert)
    with pytest.raises(ValueError, match="enough"):
        images(tmp_path)
    assert written
    assert not any(value.encode() in content for value in PATIENT.values() for content in written)


def test_a_full_disk_is_seen_before(tmp_path, monkeypatch):
    one(tmp_path / "in")
    monkeypatch.setattr(dicom_convert.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 1000))
    with pytest.raises(ValueError, match=r"converting it takes 4\.9e-05 GB of .* which has 1e-06 GB: set TMPDIR"):
        images(tmp_path / "in")


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("exec sleep 60", "dcm2niix does not end within 0 s"),
        ("kill -11 $$", r"dcm2niix cannot convert it \(exit status -11\)"),
        ("exec python3 -c 'bytes(4 * 2**30)'", r"dcm2niix cannot convert it \(exit status 1\)"),
        ("echo Warning: Interslice distance varies in this volume; exit 1", "not evenly spaced"),
    ],
)
def test_a_converter_that_hangs_or_crashes_is_one_line(program, message, tmp_path, monkeypatch):
    one(tmp_path / "in")
    without(monkeypatch, "itk")
    fake = tmp_path / "dcm2niix"
    fake.write_text(f"#!/bin/sh\n{program}\n")
    fake.chmod(0o755)
    monkeypatch.setattr(dcm2niix, "bin", str(fake))
    if "sleep" in program:
        monkeypatch.setattr(dicom_convert, "_seconds", lambda headers: 0.2)
    begin = time.perf_counter()
    with pytest.raises((ValueError, OSError), match=message):
        images(tmp_path / "in")
    assert time.perf_counter() - begin < 20
