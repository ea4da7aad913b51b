# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import io
import os
import zlib

import numpy as np
import pytest
import torch

from scripts.files import checked
from scripts.files.checked import check_file, check_zip, open_checked, read_exactly, unpacked

CONTENT = np.random.default_rng(0).integers(0, 9, 20_000, dtype=np.uint8).tobytes()


@pytest.fixture(params=["isal", "zlib"])
def packed(request, tmp_path, monkeypatch):
    if request.param == "zlib":
        monkeypatch.setattr(checked, "has_igzip", False)
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(CONTENT))
    return path


def read(path, count=None, more=0):
    count = len(CONTENT) if count is None else count
    with open_checked(path) as stream:
        return read_exactly(stream, count, more)


def test_whole_files_are_read(packed):
    assert read(packed) == CONTENT
    packed.write_bytes(gzip.compress(CONTENT[:100]) + gzip.compress(CONTENT[100:]))  # in two members
    assert read(packed) == CONTENT
    plain = packed.with_name("a.nii")
    plain.write_bytes(CONTENT)
    assert read(plain) == CONTENT


def test_any_flipped_bit_of_the_data_is_seen(packed):
    whole = bytearray(packed.read_bytes())
    rng = np.random.default_rng(1)
    for place in rng.integers(10, len(whole), 40):  # after the gzip header, whose time and flags mean nothing
        damaged = whole.copy()
        damaged[place] ^= 1 << int(rng.integers(8))
        packed.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"damaged|truncated|longer"):
            read(packed)


@pytest.mark.parametrize(
    ("count", "more", "message"),
    [(len(CONTENT) + 1, 0, "truncated"), (len(CONTENT) - 1, 0, "longer than its header says"), (0, 9, "longer")],
)
def test_another_length_is_refused(packed, count, more, message):
    with pytest.raises(ValueError, match=message):
        read(packed, count, more)


def test_a_cut_file_is_truncated(packed):
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(ValueError, match="truncated: it ends before"):
        read(packed)


def test_of_a_bomb_no_more_is_unpacked_than_is_asked_for(packed):
    packed.write_bytes(gzip.compress(bytes(10_000_000)))
    with open_checked(packed) as stream:
        with pytest.raises(ValueError, match="longer than its header says"):
            read_exactly(stream, 1000)
        assert stream.tell() == 1001


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    for name, message in {"pipe": "named pipe", "": "a folder", "empty": "empty"}.items():
        with pytest.raises(ValueError, match=message):
            check_file(tmp_path / name)
        with pytest.raises(ValueError, match=message), open_checked(tmp_path / name):
            pass
    with pytest.raises(FileNotFoundError), open_checked(tmp_path / "absent"):
        pass


def test_the_name_must_not_promise_more_than_the_content(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(CONTENT)
    with pytest.raises(ValueError, match="not compressed as its name says"), open_checked(tmp_path / "a.nii.gz"):
        pass


@pytest.mark.parametrize(("encoding", "pack"), [("zlib", zlib.compress), ("gzip", gzip.compress)])
def test_packed_data_in_a_file_have_a_checksum_too(encoding, pack):
    data = pack(CONTENT)
    unpacked(data, encoding, len(CONTENT))
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 4
    for wrong, count in ((data, len(CONTENT) - 1), (data[:-20], len(CONTENT)), (bytes(damaged), len(CONTENT))):
        with pytest.raises(ValueError, match=r"damaged|truncated|longer"):
            unpacked(wrong, encoding, count)


def test_weights_with_a_flipped_bit_are_refused(tmp_path):
    stream = io.BytesIO()
    torch.save({"a": torch.arange(4000.0)}, stream)
    whole = stream.getvalue()
    path = tmp_path / "model.pt"
    path.write_bytes(whole)
    check_zip(path)
    at = whole.index(torch.arange(4000.0).numpy().tobytes())
    for place in range(at, at + 16000, 1600):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"model\.pt is damaged"):
            check_zip(path)
    path.write_bytes(whole[:-30])
    with pytest.raises(ValueError, match=r"model\.pt is damaged"):
        check_zip(path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "pointer of Git LFS"),
        (b"/annex/objects/MD5E-s1--0.nii.gz\n", "pointer of git-annex"),
        (b"<!DOCTYPE html><html></html>", "it is a web page"),
        (b"<?xml version='1.0'?><Error/>", "an answer of a server"),
    ],
)
def test_what_only_has_the_name_of_an_image_is_named(tmp_path, content, what):
    (tmp_path / "a.nii.gz").write_bytes(content)
    with pytest.raises(ValueError, match=what), open_checked(tmp_path / "a.nii.gz"):
        pass


@pytest.mark.parametrize("fast", [True, False])
def test_bytes_behind_compressed_data_are_told_from_data_cut_short(tmp_path, monkeypatch, fast):
    if not fast:
        monkeypatch.setattr(checked, "has_igzip", False)
    for more, reason in ((b"hello", "5 bytes follow the end" if fast else "damaged"), (b"", "truncated")):
        (tmp_path / "a.nii.gz").write_bytes(gzip.compress(CONTENT)[: None if more else -9] + more)
        with pytest.raises(ValueError, match=reason), open_checked(tmp_path / "a.nii.gz") as stream:
            read_exactly(stream, len(CONTENT))
