# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import torch
from nibabel.nifti1 import Nifti1Extension

from scripts.transforms import LoadVolumed, SaveRestoredd
from tests.helpers.volume_files import affine, head


def image_of(kind=nib.Nifti1Image, order="<", unit="mm", scale=1.0, qform=None, codes=(1, 1), dtype=np.int16):
    header = kind.header_class(endianness=order)
    image = kind(head().astype(dtype), None, header)
    factor = np.diag([scale, scale, scale, 1.0])
    image.set_sform(factor @ affine("LAS", tilt=0.1), code=codes[0])
    image.set_qform(factor @ (affine("LAS", tilt=0.1) if qform is None else qform), code=codes[1])
    image.header.set_xyzt_units(unit, "msec")
    image.header["descrip"], image.header["aux_file"], image.header["intent_name"] = b"scanner X", b"aux", b"name"
    image.header["cal_max"], image.header["toffset"], image.header["slice_code"] = 900, 3, 1
    image.header.set_dim_info(0, 1, 2)
    image.header.extensions.append(Nifti1Extension("comment", b"one word\x00\xff"))
    image.header.extensions.append(Nifti1Extension(40, b"another"))
    return image


def there_and_back(tmp_path, image, name="a.nii.gz", dtype=None):
    """A file read and written, with one voxel changed; the item, and the written image."""
    nib.save(image, tmp_path / name)
    item = LoadVolumed("image")({"image": str(tmp_path / name), "output": "b.nii.gz"})
    item["image"][0, 8, 8, 8] += 5
    item = SaveRestoredd("image", tmp_path, dtype=dtype)(item)
    return item, nib.load(tmp_path / "b.nii.gz")


KEPT = ("qform_code", "sform_code", "srow_x", "srow_y", "srow_z", "quatern_b", "quatern_c", "quatern_d", "qoffset_x",
        "qoffset_y", "qoffset_z", "pixdim", "xyzt_units", "descrip", "aux_file", "intent_name", "cal_max", "toffset",
        "slice_code", "dim_info")  # fmt: skip


@pytest.mark.parametrize("codes", [(1, 1), (4, 1), (0, 2), (3, 0), (0, 0)])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("kind", "name"),
    [(nib.Nifti1Image, "a.nii.gz"), (nib.Nifti2Image, "a.nii"), (nib.Nifti1Pair, "a.hdr")],
)
def test_the_header_says_all_that_the_inputs_said(tmp_path, kind, name, order, codes):
    image = image_of(kind, order, qform=affine("LAS", tilt=0.3), codes=codes)
    _, written = there_and_back(tmp_path, image, name)
    before = nib.load(tmp_path / name).header
    assert type(written) is (nib.Nifti2Image if kind is nib.Nifti2Image else nib.Nifti1Image)
    for field in KEPT:
        np.testing.assert_array_equal(written.header[field], before[field], err_msg=field)
    told = [[(part.get_code(), part.content) for part in one.extensions] for one in (before, written.header)]
    assert told[0] == told[1]
    expected = head().astype(np.int16).astype(np.float32)
    expected[8, 8, 8] += 5
    np.testing.assert_array_equal(written.get_fdata(), expected)
    assert written.get_data_dtype() == np.float32


@pytest.mark.parametrize(("unit", "scale"), [("meter", 1e-3), ("micron", 1e3), ("mm", 1.0), ("unknown", 1.0)])
def test_a_head_is_as_large_in_any_unit_and_keeps_it(tmp_path, unit, scale):
    item, written = there_and_back(tmp_path, image_of(unit=unit, scale=scale))
    np.testing.assert_allclose(item["image"].affine, affine("LAS", tilt=0.1), rtol=1e-5, atol=1e-4)
    assert written.header.get_xyzt_units() == (unit, "msec")
    np.testing.assert_allclose(written.affine, nib.load(tmp_path / "a.nii.gz").affine)
    assert item["warnings"] == ""


@pytest.mark.parametrize("unit", ["meter", "micron"])
def test_a_head_that_is_as_wide_as_a_street_is_in_mm(tmp_path, unit):
    item, written = there_and_back(tmp_path, image_of(unit=unit))
    np.testing.assert_allclose(item["image"].affine, affine("LAS", tilt=0.1), atol=1e-5)
    assert f"its header says {unit}s" in item["warnings"]
    assert written.header.get_xyzt_units()[0] == unit


def test_forms_that_disagree_are_both_kept_and_said(tmp_path):
    item, written = there_and_back(tmp_path, image_of(qform=affine("LAS", tilt=0.1) + np.eye(4, k=3) * 31))
    assert "up to 31 mm apart: the sform is used, both are kept" in item["warnings"]
    assert written.get_qform()[0, 3] - written.get_sform()[0, 3] == pytest.approx(31)
    item, _ = there_and_back(tmp_path, image_of(codes=(0, 0)))
    assert "does not say where left and front are" in item["warnings"]


def test_a_shear_is_kept_and_said(tmp_path):
    image = image_of()
    sheared = affine("LAS")
    sheared[0, 1] += 0.4
    image.set_sform(sheared, code=1)
    item, written = there_and_back(tmp_path, image)
    np.testing.assert_allclose(written.get_sform(), sheared, atol=1e-6)
    np.testing.assert_allclose(written.get_qform(), image.get_qform(), atol=1e-6)
    assert "sheared by 11 degrees, which is kept" in item["warnings"]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_the_stored_type_comes_back_on_request(tmp_path, dtype):
    image = nib.Nifti1Image((head() / 4).astype(dtype), affine())
    image.header.set_slope_inter(0.5, -3)
    item, written = there_and_back(tmp_path, image, dtype="input")
    before = nib.load(tmp_path / "a.nii.gz")
    assert written.get_data_dtype() == dtype
    assert (written.dataobj.slope, written.dataobj.inter) == (0.5, -3)
    expected = np.asarray(before.dataobj.get_unscaled()).copy()
    expected[8, 8, 8] += 10
    np.testing.assert_allclose(np.asarray(written.dataobj.get_unscaled()), expected, rtol=1e-6, atol=0)
    assert item["warnings"] == ""


def test_what_the_stored_type_cannot_hold_is_cut_off_and_counted(tmp_path):
    nib.save(nib.Nifti1Image((head() / 4).astype(np.uint8), affine()), tmp_path / "a.nii.gz")
    item = LoadVolumed("image")({"image": str(tmp_path / "a.nii.gz"), "output": "b.nii.gz"})
    item["image"][0, 0, 0, :4] = torch.tensor([-7.0, 300.0, 7.6, 7.4])
    item = SaveRestoredd("image", tmp_path, dtype="input")(item)
    np.testing.assert_array_equal(np.asarray(nib.load(tmp_path / "b.nii.gz").dataobj)[0, 0, :4], [0, 255, 8, 7])
    assert item["warnings"] == "2 voxels were cut off at the limits of uint8, 0 and 255."


def test_a_volume_on_another_grid_does_not_get_the_header(tmp_path):
    nib.save(image_of(), tmp_path / "a.nii.gz")
    item = LoadVolumed("image")({"image": str(tmp_path / "a.nii.gz"), "output": "b.nii.gz"})
    item["image"].affine = affine("RAS", (1.0, 1.0, 1.0))
    SaveRestoredd("image", tmp_path)(item)
    written = nib.load(tmp_path / "b.nii.gz")
    np.testing.assert_allclose(written.affine, affine("RAS", (1.0, 1.0, 1.0)))
    assert bytes(written.header["descrip"]).rstrip(b"\0") == b""


def test_an_unknown_type_is_refused_at_once(tmp_path):
    with pytest.raises(ValueError, match="dtype 'inptu' is unknown: choose input, float32 or float64"):
        SaveRestoredd("image", tmp_path, dtype="inptu")
