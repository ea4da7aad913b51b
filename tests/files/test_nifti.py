# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import os
import struct
import tracemalloc

import nibabel as nib
import numpy as np
import pytest

from scripts.files.checked import MemoryCheck
from scripts.files.nifti import read_image
from tests.helpers.volume_files import affine, head, write_nifti

CHECK = MemoryCheck(1.0)
DIM, DATATYPE, BITPIX, OFFSET = 40, 70, 72, 108
"""Places in the header of a NIfTI-1 file."""


def changed(path, place, form, *values):
    content = bytearray(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())
    struct.pack_into(form, content, place, *values)
    path.write_bytes(gzip.compress(bytes(content)) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image, nib.Nifti1Pair, nib.MGHImage])
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_voxels_are_those_that_nibabel_reads(tmp_path, kind, order):
    header = None if kind is nib.MGHImage else kind.header_class(endianness=order)
    image = kind(head().astype(np.int16), affine("LAS", tilt=0.1), header)
    for name in {nib.Nifti1Pair: ("a.hdr",), nib.MGHImage: ("a.mgh", "a.mgz")}.get(kind, ("a.nii", "a.nii.gz")):
        nib.save(image, tmp_path / name)
        read = read_image(tmp_path / name, CHECK)
        np.testing.assert_array_equal(np.asarray(read.dataobj), head().astype(np.int16))
        np.testing.assert_allclose(read.affine, nib.load(tmp_path / name).affine)


def test_the_content_tells_compression_not_the_name(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz").rename(tmp_path / "a.nii")
    np.testing.assert_array_equal(np.asarray(read_image(path, CHECK).dataobj), head())


def test_the_data_of_a_pair_may_be_compressed_and_must_be_there(tmp_path):
    nib.save(nib.Nifti1Pair(head(), affine()), tmp_path / "a.hdr")
    data = tmp_path / "a.img"
    (tmp_path / "a.img.gz").write_bytes(gzip.compress(data.read_bytes()))
    data.unlink()
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "a.hdr", CHECK).dataobj), head())
    (tmp_path / "a.img.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"no a\.img beside it"):
        read_image(tmp_path / "a.hdr", CHECK)


def test_analyze_does_not_tell_left_from_right(tmp_path):
    nib.save(nib.AnalyzeImage(head().astype(np.int16), None), tmp_path / "a.hdr")
    with pytest.raises(ValueError, match=r"Analyze 7\.5 file, which does not tell left from right"):
        read_image(tmp_path / "a.hdr", CHECK)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize(
    ("place", "form", "values", "message"),
    [
        (DIM + 6, "<h", [18], "longer than its header says"),  # of 19 slices
        (DIM + 6, "<h", [20], "truncated"),
        (DIM, "<h", [2], "longer than its header says"),
        (DIM, "<h", [9], "dimensions"),
        (DIM + 2, "<h", [-17], "dimensions"),
        (DATATYPE, "<h", [4], "contradicts itself: voxels of type int16 do not have 32 bits"),
        (DATATYPE, "<h", [77], "unknown data type 77"),
        (OFFSET, "<f", [300.0], "cannot begin at byte 300"),
        (OFFSET, "<f", [float("nan")], "cannot begin at byte nan"),
        (OFFSET, "<f", [368.0], "truncated"),
        (112, "<f", [float("inf")], "scl_slope is infinite"),
        (344, "4s", [b"nope"], "not an image"),
    ],
)
def test_headers_that_contradict_the_file_are_refused(tmp_path, name, place, form, values, message):
    with pytest.raises(ValueError, match=message):
        read_image(changed(write_nifti(tmp_path / name), place, form, *values), CHECK)


def test_dimensions_beyond_memory_are_refused_before_anything_is_taken(tmp_path):
    path = changed(write_nifti(tmp_path / "a.nii.gz"), DIM, "<8h", 3, 30000, 30000, 100, 1, 1, 1, 1)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"30000 x 30000 x 100 voxels needs about 3.6e\+03 GB .* raise --max_memory"):
        read_image(path, CHECK)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_a_bomb_behind_an_honest_header_is_not_unpacked(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz")
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + bytes(50_000_000)))
    tracemalloc.start()
    with pytest.raises(ValueError, match="longer than its header says"):
        read_image(path, CHECK)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "a.nii.gz")
    with pytest.raises(ValueError, match="named pipe"):
        read_image(tmp_path / "a.nii.gz", CHECK)


def test_the_tags_of_freesurfer_are_no_contradiction(tmp_path):
    nib.save(nib.MGHImage(head(), affine()), tmp_path / "a.mgh")
    whole = (tmp_path / "a.mgh").read_bytes()
    footer = whole[: 284 + 4 * head().size] + bytes(20)
    command = b"mri_convert in out"
    tags = struct.pack(">iq", 3, len(command)) + command + struct.pack(">iq", 41, 7) + b"UNKNOWN"
    for tail in (b"", tags, struct.pack(">i", 0)):
        (tmp_path / "a.mgh").write_bytes(footer + tail)
        np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "a.mgh", CHECK).dataobj), head())
    for shape in ((17, 22, 18), (17, 22, 20), (17, 0, 19)):
        (tmp_path / "a.mgh").write_bytes(struct.pack(">4i", 1, *shape) + footer[16:] + tags)
        with pytest.raises(ValueError, match=r"longer|truncated|dimensions"):
            read_image(tmp_path / "a.mgh", CHECK)


def test_the_limit_is_a_number_of_gigabytes():
    with pytest.raises(ValueError, match="max_memory must be a positive number of gigabytes, got 0"):
        MemoryCheck(0)
    MemoryCheck(1)(1e9 / MemoryCheck.PER_VOXEL)
    with pytest.raises(ValueError, match=r"it needs about 1.04 GB of memory, more than max_memory \(1 GB\)"):
        MemoryCheck(1)(1.04e9 / MemoryCheck.PER_VOXEL)


QFORM_CODE, SCL_SLOPE, PIXDIM = 252, 112, 76


def test_the_ending_may_be_written_in_any_case(tmp_path):
    path = write_nifti(tmp_path / "a.nii").rename(tmp_path / "A.Nii")
    np.testing.assert_array_equal(np.asarray(read_image(path, CHECK).dataobj), head())


@pytest.mark.parametrize(("slope", "good"), [(1.0, False), (0.0, True), (np.nan, True)])
def test_an_intercept_must_be_a_number_where_there_is_a_slope(tmp_path, slope, good):
    path = changed(write_nifti(tmp_path / "a.nii.gz"), SCL_SLOPE, "<2f", slope, np.nan)
    if good:
        np.testing.assert_array_equal(np.asarray(read_image(path, CHECK).dataobj), head())
    else:
        with pytest.raises(ValueError, match="scl_inter is not a number"):
            read_image(path, CHECK)


def test_a_matrix_with_an_unknown_code_is_used_and_nothing_is_said_without_the_file(tmp_path, capfd):
    matrix = affine("LAS", tilt=0.1)
    path = changed(write_nifti(tmp_path / "a.nii.gz", head(), matrix), QFORM_CODE, "<2h", 0, 9)
    image = read_image(path, CHECK)
    np.testing.assert_allclose(image.affine, matrix, atol=1e-5)
    assert (int(image.header["qform_code"]), int(image.header["sform_code"])) == (0, 9)
    read_image(changed(path, PIXDIM, "<4f", 1, 0, 2, 2), CHECK)
    assert capfd.readouterr() == ("", "")


def test_voxels_must_have_a_size(tmp_path):
    path = changed(write_nifti(tmp_path / "a.nii.gz"), QFORM_CODE, "<2h", 1, 0)
    with pytest.raises(ValueError, match=r"a size of its voxels \(pixdim\) is 0"):
        read_image(changed(path, PIXDIM, "<4f", 1, 2, 0, 2), CHECK)
