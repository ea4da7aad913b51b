# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip

import itk
import numpy as np
import pytest

from scripts.files.checked import MemoryCheck
from scripts.files.text_headers import check_text_header
from tests.helpers.volume_files import head, write_itk

CHECK = MemoryCheck(1.0)


def written(path, compressed=False):
    """A file of head() as ITK writes it; of ``.mhd`` and ``.nhdr``, with its data beside it."""
    image = itk.image_from_array(np.ascontiguousarray(head().T))
    itk.imwrite(image, str(path), compression=compressed)
    return path


def edited(path, old, new):
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    return path


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("suffix", [".mha", ".mhd", ".nrrd", ".nhdr"])
def test_what_itk_writes_is_right(tmp_path, suffix, compressed):
    header = check_text_header(written(tmp_path / f"a{suffix}", compressed), CHECK)
    assert (header.shape, header.dtype) == (head().shape, "float32")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("suffix", [".mha", ".mhd", ".nrrd", ".nhdr"])
def test_another_length_is_refused(tmp_path, suffix, compressed):
    path = written(tmp_path / f"a{suffix}", compressed)
    for wrong, message in ((b"17 22 18", "longer than its header says"), (b"17 22 20", "truncated")):
        whole = path.read_bytes()
        with pytest.raises(ValueError, match=message):
            check_text_header(edited(path, b"17 22 19", wrong), CHECK)
        path.write_bytes(whole)


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
def test_a_flipped_bit_in_compressed_data_is_seen(tmp_path, suffix):
    path = written(tmp_path / f"a{suffix}", compressed=True)
    content = bytearray(path.read_bytes())
    content[-2000] ^= 16
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged|truncated"):
        check_text_header(path, CHECK)


@pytest.mark.parametrize("suffix", [".mha", ".mhd"])
@pytest.mark.parametrize("wrong", [b"= 8", b"= 9", b"= 1x", b'= "'])
def test_another_size_of_compressed_data_is_refused(tmp_path, suffix, wrong):
    path = written(tmp_path / f"a{suffix}", compressed=True)
    size = path.read_bytes().partition(b"CompressedDataSize ")[2].partition(b"\n")[0]
    edited(path, b"CompressedDataSize " + size, b"CompressedDataSize " + wrong + size[3:])
    with pytest.raises(ValueError, match="bytes of compressed data, but there are"):
        check_text_header(path, CHECK)


@pytest.mark.parametrize("true", [b"1", b"t", b"1 2 se"])
def test_what_itk_takes_for_true_is_true(tmp_path, true):
    path = written(tmp_path / "a.mha", compressed=True)
    check_text_header(edited(path, b"CompressedData = True", b"CompressedData = " + true), CHECK)
    assert np.array_equal(itk.array_from_image(itk.imread(str(path))).T, head().astype(np.float32))


@pytest.mark.parametrize(
    "elsewhere", ["/etc/passwd", "../secret.raw", "sub/secret.raw", "..\\secret.raw", "%03d.raw 1 9 1", "LIST"]
)
@pytest.mark.parametrize(("suffix", "field"), [(".mhd", b"ElementDataFile = a.raw"), (".nhdr", b"data file: a.raw")])
def test_data_elsewhere_are_refused(tmp_path, suffix, field, elsewhere):
    path = written(tmp_path / f"a{suffix}")
    key = field[: -len(b"a.raw")]
    with pytest.raises(ValueError, match=r"only data in it or beside it are read|several files of data"):
        check_text_header(edited(path, field, key + elsewhere.encode()), CHECK)


@pytest.mark.parametrize(
    ("suffix", "old", "new", "message"),
    [
        (".mha", b"NDims = 3", b"NDims = 4", "NDims is not the number of DimSize"),
        (".mha", b"DimSize = 17 22 19", b"DimSize = 17 -2 19", "'-2' is no number"),
        (".mha", b"DimSize = 17 22 19", b"DimSize = 30000 30000 100", r"30000 x 30000 x 100 voxels needs about"),
        (".mha", b"ElementType = MET_FLOAT", b"ElementType = MET_OTHER", "header is damaged"),
        (".mha", b"NDims = 3", b"NDims = 3\nDimSize = 17 22 18", "gives DimSize twice"),
        (".mha", b"ElementDataFile = LOCAL", b"ElementDataFail = LOCAL", "header is damaged"),
        (".nrrd", b"dimension: 3", b"dimension: 2", "dimension is not the number of sizes"),
        (".nrrd", b"type: float", b"type: floot", "header is damaged"),
        (".nrrd", b"dimension: 3", b"dimension: 3\nline skip: 2", "skips lines"),
        (".nrrd", b"sizes: 17 22 19", b"sizes: 30000 30000 100", r"30000 x 30000 x 100 voxels needs about"),
    ],
)
def test_contradictions_are_refused(tmp_path, suffix, old, new, message):
    with pytest.raises(ValueError, match=message):
        check_text_header(edited(written(tmp_path / f"a{suffix}"), old, new), CHECK)


def test_numbers_written_as_text_are_counted(tmp_path):
    text = b"NRRD0004\ntype: short\ndimension: 3\nsizes: 2 2 2\nencoding: ascii\n\n1 2 3 4\n5 6 7 8\n"
    (tmp_path / "a.nrrd").write_bytes(text)
    assert check_text_header(tmp_path / "a.nrrd", CHECK).dtype == "int16"
    (tmp_path / "a.nrrd").write_bytes(text[:-2])
    with pytest.raises(ValueError, match="another number of voxels"):
        check_text_header(tmp_path / "a.nrrd", CHECK)


def test_colours_are_another_axis(tmp_path):
    write_itk(tmp_path / "a.mha", np.zeros((4, 5, 6, 3), np.float32), components=True)
    with pytest.raises(ValueError, match=r"the image has 4 axes \(4, 5, 6, 3\)"):
        check_text_header(tmp_path / "a.mha", CHECK)


def test_a_bomb_is_not_unpacked(tmp_path):
    path = written(tmp_path / "a.nrrd", compressed=True)
    start = path.read_bytes().partition(b"\n\n")[0]
    path.write_bytes(start + b"\n\n" + gzip.compress(bytes(30_000_000)))
    with pytest.raises(ValueError, match="longer than its header says"):
        check_text_header(path, CHECK)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"encoding: raw", b"encoding: bzip2", "compressed by bzip2, which ITK does not read"),
        (b"kinds:", b'space units: "um" "um" "um"\nkinds:', "gives lengths in um: write it again in millimetres"),
        (b"dimension: 3\n", b"dimension: 4\n", "dimension is not the number of sizes"),
    ],
)
def test_what_itk_would_misread_is_refused(tmp_path, old, new, reason):
    path = edited(written(tmp_path / "a.nrrd"), old, new)
    with pytest.raises(ValueError, match=reason):
        check_text_header(path, CHECK)


def test_millimetres_may_be_said(tmp_path):
    path = edited(written(tmp_path / "a.nrrd"), b"kinds:", b'space units: "mm" "mm" "mm"\nkinds:')
    assert check_text_header(path, CHECK).shape == head().shape


def test_a_list_of_one_volume_has_four_axes(tmp_path):
    path = edited(written(tmp_path / "a.nrrd"), b"dimension: 3\n", b"dimension: 4\n")
    with pytest.raises(ValueError, match=r"the image has 4 axes \(17, 22, 19, 1\): give one three-dimensional"):
        check_text_header(edited(path, b"17 22 19", b"17 22 19 1"), CHECK)
