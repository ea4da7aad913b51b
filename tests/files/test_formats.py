# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import PurePath

from scripts.files.formats import FORMATS, READ_ENDINGS, data_beside, format_of, is_data_of, refusal, stem


def test_each_ending_is_of_one_format():
    endings = [ending for one in FORMATS for ending in one.endings]
    assert len(set(endings)) == len(endings)
    assert all(ending == ending.lower() and format_of(f"A{ending.upper()}") for ending in endings)
    assert {".nii", ".nii.gz", ".mgz", ".mha", ".mhd", ".nrrd", ".nhdr", ".hdr"} <= set(READ_ENDINGS)
    assert format_of("a.txt") is None


def test_the_longest_ending_counts():
    assert stem("a.b.nii.gz") == "a.b"
    assert stem("a.tar.gz") == "a"
    assert format_of("a.nii.bz2").reader == ""


def test_what_is_refused_says_what_to_do():
    for one in FORMATS:
        if not one.reader:
            assert refusal(one).endswith(f"({one.name}): {one.remark}.")


def test_data_belong_to_the_header_beside_them():
    names = {"a.hdr", "b.mhd", "c.head", "d.hdr.gz"}
    for name in ("a.img", "A.IMG", "a.img.gz", "b.raw", "b.zraw", "c.brik.gz", "d.img"):
        assert is_data_of(PurePath("x") / name, names), name
    for name in ("e.img", "e.raw", "a.hdr", "a.raw", "b.txt", "c.nii"):
        assert not is_data_of(PurePath("x") / name, names), name


def test_the_data_of_a_header_are_found(tmp_path):
    for name in ("a.hdr", "a.img", "b.img", "c.mhd", "c.raw", "d.nii"):
        (tmp_path / name).touch()
    assert {name: [file.name for file in data_beside(tmp_path / name)] for name in ("a.hdr", "c.mhd", "d.nii")} == {
        "a.hdr": ["a.img"], "c.mhd": ["c.raw"], "d.nii": [],
    }  # fmt: skip
