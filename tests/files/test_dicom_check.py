# SPDX-License-Identifier: Apache-2.0
"""A result that is not what the files say is refused, whatever converter made it."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from scripts.files.dicom_check import confirmed
from scripts.files.dicom_headers import read_headers
from scripts.files.dicom_volumes import volumes_of
from tests.helpers.dicom_files import stored
from tests.helpers.dicom_kinds import BOTH, OBLIQUE, frames, numbered, one, rle, several

ELSEWHERE = "its slices do not lie where the headers say after conversion"
OTHERS = "its voxels are not those of its files after conversion"


def result(folder, *images):
    """What is made of converted images of the series in ``folder / "in"``."""
    headers, _, _ = read_headers(sorted((folder / "in").iterdir()))
    paths = [folder / f"{number}.nii" for number in range(len(images))]
    for image, path in zip(images, paths, strict=True):
        nib.save(image, path)
        if image.extra:
            with path.open("r+b") as file:
                file.seek(112)  # as it is stored: nibabel would divide the voxels by it
                file.write(np.array([image.extra["slope"], image.extra["intercept"]], dtype="<f4").tobytes())
    return confirmed(paths, headers, volumes_of(headers))


def image(voxels, affine=OBLIQUE, **scale):
    return nib.Nifti1Image(voxels, affine, extra=scale)


def shifted(axis, voxels):
    return nib.affines.from_matvec(OBLIQUE[:3, :3], OBLIQUE[:3, 3] + voxels * OBLIQUE[:3, axis])


def swapped(volume, first, second):
    order = np.arange(volume.shape[2])
    order[[first, second]] = order[[second, first]]
    return volume[:, :, order]


def changed(volume, place=(3, 4, 5)):
    volume = volume.copy()
    volume[place] += 1
    return volume


@pytest.mark.parametrize("make", [one, frames])
def test_a_right_one_is_returned_on_the_grid_of_the_headers(make, tmp_path):
    make(tmp_path / "in")
    turned = image(stored()).as_reoriented([[2, -1], [0, 1], [1, -1]])
    turned.header["descrip"] = "Time=120000"
    (found,) = result(tmp_path, turned)
    np.testing.assert_array_equal(found.dataobj, stored())
    np.testing.assert_allclose(found.affine, OBLIQUE, atol=1e-9)
    assert (found.get_data_dtype(), bytes(found.header["descrip"]).strip(b"\0")) == (np.uint16, b"")


@pytest.mark.parametrize("make", [one, frames])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (image(swapped(stored(), 3, 4)), OTHERS),
        (image(stored()[:, :, ::-1]), OTHERS),
        (image(stored()[::-1]), OTHERS),
        (image(changed(stored())), OTHERS),
        (image(stored(), slope=2.0, intercept=0.0), OTHERS),
        (image(stored(), slope=1.0, intercept=1.0), OTHERS),
        (image(stored(), shifted(2, 1)), ELSEWHERE),
        (image(stored(), shifted(0, 0.6)), ELSEWHERE),
        (image(stored(), OBLIQUE * [[1, 1, 1.2, 1]]), ELSEWHERE),
        (image(stored()[:, :, :-1]), ELSEWHERE),
        (image(stored()[..., 0]), r"it is converted to 2 axes \(20, 18\)"),
        (image(stored()[..., None][..., [0, 0]]), "it has 1 volumes by its headers, 2 by its converter"),
    ],
)
def test_a_wrong_one_is_refused(make, wrong, message, tmp_path):
    make(tmp_path / "in")
    with pytest.raises(ValueError, match=message):
        result(tmp_path, wrong)


def test_slopes_are_part_of_it(tmp_path):
    (voxels,), _ = BOTH["one slope"](tmp_path / "in")
    (found,) = result(tmp_path, image(stored(), slope=0.37, intercept=-12.5))
    np.testing.assert_allclose(found.dataobj, voxels, rtol=1e-6, atol=1e-4)
    (found,) = result(tmp_path, image(voxels.astype(np.float32)))
    np.testing.assert_allclose(found.dataobj, voxels, rtol=1e-6, atol=1e-4)
    for wrong in (image(stored()), image(stored(), slope=0.38, intercept=-12.5)):
        with pytest.raises(ValueError, match=OTHERS):
            result(tmp_path, wrong)


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: several(folder, numbered(lambda k: k), numbered(lambda k: k + 50)),
        lambda folder: frames(folder, 2),
    ],
)
def test_several_volumes_come_in_the_order_of_the_headers_and_are_not_mixed(make, tmp_path):
    (first, second), _ = make(tmp_path / "in")
    for given in ([image(second), image(first)], [image(np.stack([second, first], axis=3))]):
        found = result(tmp_path, *given)
        for one_image, voxels in zip(found, (first, second), strict=True):
            np.testing.assert_array_equal(one_image.dataobj, voxels)
    mixed = [
        np.concatenate([first[:, :, :9], second[:, :, 9:]], 2),
        np.concatenate([second[:, :, :9], first[:, :, 9:]], 2),
    ]
    for given in ([image(voxels) for voxels in mixed], [image(first), image(first)]):
        with pytest.raises(ValueError, match=OTHERS):
            result(tmp_path, *given)


def test_what_cannot_be_decoded_is_taken_by_its_place_unless_there_are_several(tmp_path, monkeypatch):
    frames(tmp_path / "in", 2)
    rle(tmp_path / "in/a")
    right = [image(stored(seed=seed)) for seed in range(2)]
    assert len(result(tmp_path, *right)) == 2
    monkeypatch.setattr("scripts.files.dicom_check._pixels", lambda *given: None)
    with pytest.raises(ValueError, match="it has several volumes in a compressed file: decompress it"):
        result(tmp_path, *right)
    frames(tmp_path / "in")
    rle(tmp_path / "in/a")
    assert len(result(tmp_path, right[0])) == 1
    frames(tmp_path / "in")  # not compressed: what pydicom cannot read then is damaged
    with pytest.raises(ValueError, match=OTHERS):
        result(tmp_path, right[0])
