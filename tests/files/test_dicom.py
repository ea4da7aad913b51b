# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
import sys

import numpy as np
import pydicom
import pytest

from scripts.files import dicom
from scripts.files.dicom import find_series, only_series, read_volume
from tests.helpers.dicom_files import PATIENT, stored, write_classic
from tests.helpers.dicom_kinds import AXIAL, OBLIQUE, frames, one, setting, several


def numbered_series(folder, *numbers, **options):
    """Series with these numbers, whatever they are."""
    for place, number in enumerate(numbers):

        def edit(ds, k, number=number, place=place):
            ds.SeriesInstanceUID = f"1.2.3.{place}"
            ds.add_new(0x00200011, "LO", number)

        write_classic(folder, stored(seed=place), OBLIQUE, name=f"{place}-{{:02d}}", edit=edit, **options)


def suffixes(folder):
    return [(volume.label, volume.suffix) for volume in find_series(folder).volumes]


def test_the_only_volume_of_a_folder_has_no_suffix(tmp_path):
    one(tmp_path)
    assert suffixes(tmp_path) == [("", "")]


def test_volumes_of_one_series_are_numbered(tmp_path):
    frames(tmp_path, 3)
    assert suffixes(tmp_path) == [("e1", "_e1"), ("e2", "_e2"), ("e3", "_e3")]


def test_series_go_by_the_number_of_the_scanner(tmp_path):
    numbered_series(tmp_path, "10", "9")
    frames(tmp_path, 2, SeriesNumber="101", SeriesInstanceUID="1.2.4")
    assert suffixes(tmp_path) == [
        ("series 9", "_series-9"),
        ("series 10", "_series-10"),
        ("series 101, e1", "_series-101_e1"),
        ("series 101, e2", "_series-101_e2"),
    ]


@pytest.mark.parametrize("numbers", [("3", "3"), ("3", ""), ("/", "4"), ("1/2", "1 2")])
def test_where_numbers_are_equal_or_missing_the_position_stands_for_them(numbers, tmp_path):
    numbered_series(tmp_path, *numbers)
    assert suffixes(tmp_path) == [("series 1", "_series-1"), ("series 2", "_series-2")]


@pytest.mark.parametrize(
    ("number", "safe"),
    [("../../x", "x"), ("3/4", "3-4"), ("3\x1b[2J\n", "3-2J"), ("n" * 40, "n" * 12), ("Ä7", "7"), ("-5", "5")],
)
def test_a_number_is_safe_in_a_name(number, safe, tmp_path):
    numbered_series(tmp_path, "1", number, SpecificCharacterSet="ISO_IR 192")
    assert f"_series-{safe}" in [suffix for _, suffix in suffixes(tmp_path)]


def test_a_volume_is_read_by_its_identifier(tmp_path):
    numbered_series(tmp_path, "1", "2")
    frames(tmp_path, 2, SeriesNumber="3", SeriesInstanceUID="1.2.4")
    read = [read_volume(tmp_path, volume.series) for volume in find_series(tmp_path).volumes]
    for image, seed in zip(read, (0, 1, 0, 1), strict=True):
        np.testing.assert_array_equal(image.dataobj, stored(seed=seed))


def test_a_broken_series_does_not_hide_the_others(tmp_path):
    numbered_series(tmp_path, "1", "2")
    (tmp_path / "0-07").unlink()
    (tmp_path / "broken.dcm").write_text("no")
    first, second = find_series(tmp_path).volumes
    assert "not evenly spaced" in first.error
    assert second.error == ""
    assert find_series(tmp_path).unreadable == (tmp_path / "broken.dcm",)
    with pytest.raises(ValueError, match="not evenly spaced"):
        read_volume(tmp_path, first.series)


def test_hidden_files_and_subfolders_are_not_read(tmp_path):
    one(tmp_path)
    one(tmp_path / "other", SeriesInstanceUID="1.2.3")
    (tmp_path / "IM0000").rename(tmp_path / ".IM0000")
    (tmp_path / "IM0001").rename(tmp_path / "._IM0001")
    assert read_volume(tmp_path).shape[2] == 15


def test_a_folder_that_changes_is_read_anew(tmp_path):
    one(tmp_path)
    assert read_volume(tmp_path).shape == (20, 18, 17)
    (tmp_path / "IM0016").unlink()
    assert read_volume(tmp_path).shape == (20, 18, 16)
    series = only_series(tmp_path)
    for file in tmp_path.iterdir():
        data = pydicom.dcmread(file)
        data.SeriesInstanceUID = "1.2.3"
        data.save_as(file)
    with pytest.raises(FileNotFoundError, match="no longer holds this DICOM series"):
        read_volume(tmp_path, series)
    assert only_series(tmp_path) == "1.2.3"
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes().replace(b"0.9\\1.3", b"0.8\\1.3"))
    np.testing.assert_allclose(np.linalg.norm(read_volume(tmp_path).affine[:3, :2], axis=0), [1.3, 0.8])


def test_several_volumes_are_converted_once(tmp_path, monkeypatch):
    frames(tmp_path, 3)
    calls, convert = [], dicom.convert
    monkeypatch.setattr(dicom, "convert", lambda *given: calls.append(1) or convert(*given))
    for volume in find_series(tmp_path).volumes:
        read_volume(tmp_path, volume.series)
    assert len(calls) == 1


def test_without_an_identifier_there_must_be_one_volume(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no DICOM series: give a file, or a folder with one series"):
        read_volume(tmp_path)
    frames(tmp_path / "two", 2)
    with pytest.raises(ValueError, match="two' holds 2 DICOM volumes: give a folder with one"):
        read_volume(tmp_path / "two")
    numbered_series(tmp_path / "both", "1", "2")
    with pytest.raises(ValueError, match="both' holds 2 DICOM series: give a folder with one"):
        read_volume(tmp_path / "both")
    one(tmp_path / "gap", skip=[8])
    with pytest.raises(ValueError, match="gap: the slices are not evenly spaced"):
        read_volume(tmp_path / "gap")


def test_links_lead_to_their_files(tmp_path):
    one(tmp_path / "a")
    (tmp_path / "b").mkdir()
    for file in (tmp_path / "a").iterdir():
        (tmp_path / "b" / file.name).symlink_to(file)
    np.testing.assert_array_equal(read_volume(tmp_path / "b").dataobj, stored())


def test_odd_names_do_not_matter(tmp_path):
    folder = tmp_path / "-o $(touch x) \n '\" äß\udcff"
    one(folder, name="-z %s \n{:02d}'\"")
    (folder / "notes.txt").write_text("beside them")
    np.testing.assert_array_equal(read_volume(folder).dataobj, stored())
    (folder / "notes.txt").unlink()
    np.testing.assert_array_equal(read_volume(folder).dataobj, stored())


def test_nothing_of_the_patient_is_in_an_image(tmp_path):
    one(tmp_path)
    image = read_volume(tmp_path)
    assert bytes(image.header["descrip"]).strip(b"\0") == bytes(image.header["aux_file"]).strip(b"\0") == b""
    content = image.to_bytes()
    assert not any(value.encode() in content for value in (*PATIENT.values(), "1200"))


def test_without_any_package_the_first_that_is_missing_is_named(tmp_path, monkeypatch):
    one(tmp_path)
    for package in ("pydicom", "dcm2niix", "itk"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match="No module named 'itk'"):
        find_series(tmp_path)


def test_a_file_that_vanishes_is_one_line(tmp_path, monkeypatch):
    one(tmp_path)
    monkeypatch.setitem(sys.modules, "itk", None)
    series = only_series(tmp_path)
    monkeypatch.setattr(dicom, "_state", lambda folder: 1)
    only_series(tmp_path)
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    with pytest.raises((ValueError, OSError)):
        read_volume(tmp_path, series)


def test_a_classic_series_of_several_kinds_is_told_apart_by_what_its_headers_say(tmp_path):
    several(tmp_path, setting(EchoTime="3"), setting(EchoTime="5"))
    write_classic(tmp_path, stored(), AXIAL, name="loc{}", skip=range(3, 17), SeriesInstanceUID="1.2", SeriesNumber="7")
    assert [suffix for _, suffix in suffixes(tmp_path)] == ["_series-1_e1", "_series-1_e2", "_series-7"]
