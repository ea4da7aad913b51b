# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import sys

import pydicom
import pytest
from pydicom.data import get_testdata_file

from scripts.files import dicom_headers
from scripts.files.dicom_headers import is_dicom, pixel_bytes, read_headers
from tests.helpers.dicom_files import PATIENT
from tests.helpers.dicom_kinds import bare, deflated, frames, mosaics, one, rle, without, without_preamble

REPORTS = ("DICOMDIR", "reportsi.dcm", "test-SR.dcm", "rtplan.dcm", "rtstruct.dcm", "waveform_ecg.dcm")


def single(folder, finish=None, name="IM0000", **options):
    """The first file of a series, alone."""
    one(folder, skip=range(1, 17), **options)
    if finish:
        finish(folder / "IM0000")
    return (folder / "IM0000").rename(folder / name)


@pytest.mark.parametrize("name", ["IM0000", "a.dcm", "b.IMA"])
def test_files_are_recognised_by_name_and_content(name, tmp_path):
    assert is_dicom(single(tmp_path, name=name))


@pytest.mark.parametrize("finish", [without_preamble, lambda file: bare(True, file), lambda file: bare(False, file)])
def test_so_they_are_without_preamble(finish, tmp_path):
    file = single(tmp_path, finish)
    assert is_dicom(file)
    (header,), unreadable, _ = read_headers([file])
    assert (header.series_number, header.number, unreadable) == ("1", 1, [])
    assert header.bare == (finish is without_preamble)


def test_other_files_are_none(tmp_path):
    for name, content in {"text": b"text" * 99, "empty": b"", "zip": b"PK\3\4" + bytes(400)}.items():
        (tmp_path / name).write_bytes(content)
        assert not is_dicom(tmp_path / name)
    os.mkfifo(tmp_path / "pipe")
    assert not is_dicom(tmp_path / "pipe")


def test_damaged_files_are_named_and_reports_are_counted(tmp_path):
    (tmp_path / "text.dcm").write_text("text")
    (tmp_path / "link.dcm").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.dcm")
    cut = single(tmp_path)
    os.truncate(cut, 400)
    unreadable = [tmp_path / name for name in ("IM0000", "link.dcm", "pipe.dcm", "text.dcm")]
    reports = [get_testdata_file(name, download=False) for name in REPORTS]
    headers, bad, without_images = read_headers([*unreadable, *map(type(tmp_path), reports)])
    assert (headers, set(bad), without_images) == ([], set(unreadable), len(REPORTS))


def test_a_report_of_an_image_class_is_one(tmp_path):
    file = single(tmp_path, edit=without("PixelData", "Rows", "Columns"))
    assert read_headers([file]) == ([], [file], 0)
    data = pydicom.dcmread(file)
    data.Modality = "SR"
    data.save_as(file)
    assert read_headers([file]) == ([], [], 1)


def test_a_file_that_only_begins_like_one_is_neither(tmp_path):
    (tmp_path / "x").write_bytes(b"\x08\0\x05\0CS\x0a\0" + bytes(300))
    assert is_dicom(tmp_path / "x")
    assert read_headers([tmp_path / "x"]) == ([], [], 0)


@pytest.mark.parametrize("length", range(132, 1500, 37))
def test_wherever_a_slice_is_cut_in_its_header_it_is_damaged(length, tmp_path):
    file = single(tmp_path, name="a.dcm")
    os.truncate(file, length)
    headers, unreadable, _ = read_headers([file])
    assert unreadable == [file] if not headers else headers[0].start + pixel_bytes(headers[0]) > length


def test_nothing_about_the_patient_is_kept(tmp_path):
    one(tmp_path / "in")
    frames(tmp_path / "in")
    headers, _, _ = read_headers(sorted((tmp_path / "in").iterdir()))
    assert len(headers) == 18
    assert not any(value in repr(headers) for value in PATIENT.values())


def test_itk_and_pydicom_tell_the_same(tmp_path, monkeypatch):
    one(tmp_path / "in")
    mosaics(tmp_path / "in", 1)
    rle(tmp_path / "in/IM0001")
    files = [*sorted((tmp_path / "in").iterdir()), *(get_testdata_file(name, download=False) for name in REPORTS[:2])]
    files = [type(tmp_path)(file) for file in files]
    first = read_headers(files)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    second = read_headers(files)
    assert first[1:] == second[1:] == ([], 2)
    for one_header, other in zip(first[0], second[0], strict=True):
        assert one_header == type(other)(**{**vars(other), "start": one_header.start})


def test_a_deflated_file_is_not_expanded_where_it_could_fill_the_memory(tmp_path, monkeypatch):
    file = single(tmp_path, deflated, "a.dcm")
    assert len(read_headers([file])[0]) == 1
    monkeypatch.setattr(dicom_headers, "MOST_DEFLATED", 100)
    assert read_headers([file])[:2] == ([], [file])


def test_numbers_that_are_none_make_no_header(tmp_path):
    file = single(tmp_path, name="a.dcm")
    data = pydicom.dcmread(file)
    data.add_new(0x00280008, "SH", "1A")  # number of frames
    data.save_as(file)
    assert read_headers([file])[:2] == ([], [file])
