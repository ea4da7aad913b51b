# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from scripts.inference.volume_item import prepare, volume_item
from tests.helpers.volume_files import SERIES, affine, head, write_series


def test_a_path_stays_a_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.nii").touch()
    for path in (tmp_path / "a.nii", str(tmp_path / "a.nii"), "~/a.nii"):
        assert volume_item(path, key="label") == {"label": str(tmp_path / "a.nii"), "series": ""}


def test_a_folder_has_one_series(tmp_path):
    write_series(tmp_path / "one", head())
    assert volume_item(tmp_path / "one")["series"].startswith(SERIES)
    write_series(tmp_path / "one", head(), series=2, name="b{:03d}.dcm")
    with pytest.raises(ValueError, match=r"one' holds 2 DICOM series: give a folder with one"):
        volume_item(tmp_path / "one")
    (tmp_path / "none").mkdir()
    with pytest.raises(FileNotFoundError, match=r"none' holds no DICOM series"):
        volume_item(tmp_path / "none")


def test_an_array_gets_its_affine():
    image = volume_item(np.arange(8, dtype=np.int64).reshape(2, 2, 2) > 3, affine())["image"]
    assert (image.get_data_dtype(), image.get_fdata().sum()) == (np.float32, 4)
    np.testing.assert_array_equal(image.affine, affine())


@pytest.mark.parametrize(
    ("image", "matrix", "error", "message"),
    [
        ("absent.nii", None, FileNotFoundError, "image 'absent.nii' does not exist"),
        (3, None, TypeError, "must be a path, a nibabel image or an array, got int"),
        (np.zeros((2, 2, 2)), None, ValueError, "give affine="),
        (np.zeros((2, 2, 2)), np.eye(3), ValueError, r"shape \(4, 4\), got \(3, 3\)"),
        (np.zeros((2, 2, 2), dtype="U1"), np.eye(4), ValueError, "real numbers are needed"),
        (nib.Nifti1Image(head(), affine()), np.eye(4), ValueError, "affine belongs to an array"),
    ],
)
def test_what_is_no_image_is_refused(image, matrix, error, message):
    with pytest.raises(error, match=message):
        volume_item(image, matrix)


def test_the_reason_of_a_failure_is_the_message():
    def fails(item):
        raise RuntimeError("applying transform") from ValueError("the volume is odd.")

    with pytest.raises(ValueError, match=r"^the volume is odd\.$"):
        prepare(fails, head(), affine())
