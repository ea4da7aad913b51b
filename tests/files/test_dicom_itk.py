# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import locale
import sys
from pathlib import Path

import pytest

from scripts.files import dicom_itk
from scripts.files.dicom_headers import read_headers
from scripts.files.dicom_itk import itk_answer
from tests.helpers.dicom_kinds import one

KEYS = ["0020|0011", "0010|0020"]


@pytest.fixture
def file(tmp_path):
    one(tmp_path / "in", skip=range(1, 17))
    return str(tmp_path / "in/IM0000")


def test_only_what_is_asked_for_is_answered(file):
    assert itk_answer("headers", [file, "absent"], KEYS[:1]) == [{"0020|0011": "1 "}, {}]


def test_a_child_that_takes_too_long_is_ended_and_started_again(file):
    with pytest.raises(ValueError, match="ITK cannot read it: it crashes, takes too long or needs too much memory"):
        itk_answer("headers", [file] * 2000, KEYS, seconds=0.05)
    assert dicom_itk._child[0].poll() is not None
    assert itk_answer("headers", [file], KEYS)[0]


def test_a_file_that_is_too_much_for_it_does_not_hide_the_others(tmp_path, monkeypatch):
    one(tmp_path / "in", skip=range(5, 17))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    answer = itk_answer

    def chokes(question, files, keys):
        if any(name.endswith("IM0003") for name in files):
            raise ValueError("crash")
        return answer(question, files, keys)

    monkeypatch.setattr("scripts.files.dicom_headers.itk_answer", chokes)
    headers, unreadable, _ = read_headers(sorted((tmp_path / "in").iterdir()))
    assert [header.file.name for header in headers] == ["IM0000", "IM0001", "IM0002", "IM0004"]
    assert [file.name for file in unreadable] == ["IM0003"]


def test_what_goes_wrong_in_it_is_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"^ITK cannot read it \(\w+\)\.$"):
        itk_answer("convert", str(tmp_path), str(tmp_path / "a.nii"))


def test_its_locale_and_memory_are_its_own(file):
    before = locale.setlocale(locale.LC_ALL)
    itk_answer("headers", [file], KEYS)
    assert locale.setlocale(locale.LC_ALL) == before
    if sys.platform == "linux":
        limits = Path(f"/proc/{dicom_itk._child[0].pid}/limits").read_text().splitlines()
        assert any(line.split()[:4] == ["Max", "address", "space", str(dicom_itk.MEMORY)] for line in limits)


def test_without_itk_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "itk", None)
    with pytest.raises(ModuleNotFoundError, match="No module named 'itk'"):
        itk_answer("headers", [], [])
