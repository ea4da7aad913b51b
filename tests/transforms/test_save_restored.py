# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from monai.data import MetaTensor
from monai.transforms import SaveImaged

from scripts.files import nifti_image
from scripts.files.nifti_image import save_nifti
from scripts.transforms import SaveRestoredd
from tests.helpers.volume_files import affine, head


def test_saved_header_says_what_the_input_said(tmp_path):
    matrix = affine("LPS", (1.0, 2.0, 3.0), tilt=0.2)
    save_nifti(head(), matrix, tmp_path / "x/y.nii.gz", {"sform_code": 4, "qform_code": 0})
    image = nib.load(tmp_path / "x/y.nii.gz")
    np.testing.assert_allclose(image.affine, matrix, atol=1e-5)
    assert image.get_data_dtype() == np.float32
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (4, 0)
    assert image.header.get_xyzt_units() == ("mm", "sec")
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["y.nii.gz"]


def test_a_sheared_affine_survives(tmp_path):
    matrix = affine()
    matrix[0, 1] += 0.5
    save_nifti(head(), matrix, tmp_path / "y.nii.gz")
    np.testing.assert_allclose(nib.load(tmp_path / "y.nii.gz").affine, matrix, atol=1e-5)


def test_nothing_is_left_of_a_failed_write(tmp_path, monkeypatch):
    def fill_the_disk(image, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nib.Nifti1Image, "to_stream", fill_the_disk)
    with pytest.raises(OSError, match="No space left"):
        save_nifti(head(), affine(), tmp_path / "y.nii.gz")
    assert not list(tmp_path.iterdir())


def test_monai_label_takes_the_writer_for_its_own(tmp_path):
    assert isinstance(SaveRestoredd(keys="pred", output_dir=tmp_path), SaveImaged)


def test_without_isal_the_file_has_the_same_voxels(tmp_path, monkeypatch):
    save_nifti(head(), affine(), tmp_path / "fast.nii.gz")
    monkeypatch.setattr(nifti_image, "has_igzip", False)
    save_nifti(head(), affine(), tmp_path / "slow.nii.gz")
    one, other = (nib.load(tmp_path / f"{name}.nii.gz") for name in ("fast", "slow"))
    np.testing.assert_array_equal(one.get_fdata(), other.get_fdata())
    assert one.header == other.header


def test_voxels_can_be_of_another_type(tmp_path):
    labels = MetaTensor((head() > 0).astype(np.int64)[None], affine=affine())
    SaveRestoredd("label", tmp_path, dtype=np.uint8)({"label": labels, "output": "x/y.nii.gz"})
    image = nib.load(tmp_path / "x/y.nii.gz")
    assert image.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(image.dataobj, head() > 0)


def test_voxels_have_the_precision_of_the_volume(tmp_path):
    for dtype, expected in ((np.float64, np.float64), (np.float32, np.float32), (np.int16, np.float32)):
        save_nifti(head().astype(dtype), affine(), tmp_path / "a.nii.gz")
        assert nib.load(tmp_path / "a.nii.gz").get_data_dtype() == expected


@pytest.mark.parametrize("fast", [True, False])
def test_equal_volumes_are_equal_bytes_whatever_their_name_and_the_time(tmp_path, monkeypatch, fast):
    monkeypatch.setattr(nifti_image, "has_igzip", fast)
    for name, now in (("a.nii.gz", 1e9), ("x/b.nii.gz", 1.5e9)):
        monkeypatch.setattr("time.time", lambda now=now: now)
        save_nifti(head(), affine(), tmp_path / name)
    one, other = (tmp_path / name for name in ("a.nii.gz", "x/b.nii.gz"))
    assert one.read_bytes() == other.read_bytes()
    assert one.read_bytes()[3:8] == bytes(5)  # no name, no time


def test_without_a_header_a_shear_is_in_the_sform_alone(tmp_path):
    matrix = affine()
    matrix[0, 1] += 0.5
    save_nifti(head(), matrix, tmp_path / "y.nii.gz")
    header = nib.load(tmp_path / "y.nii.gz").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 0)
