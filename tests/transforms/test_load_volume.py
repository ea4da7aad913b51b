# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys

import nibabel as nib
import numpy as np
import pytest
import torch

from scripts.files.errors import failure_reason
from scripts.transforms import LoadVolumed
from tests.helpers.volume_files import affine, head, write_itk, write_nifti, write_series


def load(path, **item):
    return LoadVolumed(keys="image")({"image": str(path), **item})["image"]


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
def test_itk_formats_have_their_voxels_and_geometry(tmp_path, suffix):
    volume = load(write_itk(tmp_path / f"a{suffix}", head()))
    np.testing.assert_allclose(volume[0].numpy(), head(), rtol=1e-6)
    np.testing.assert_allclose(np.diag(volume.affine), [-2, -2, 2, 1])  # ITK's LPS seen from RAS


def test_a_series_is_read_by_its_identifier(tmp_path):
    from scripts.inference.volumes import find_volumes

    write_series(tmp_path / "two", head(seed=1), series=1)
    write_series(tmp_path / "two", head(seed=2), series=2, name="b{:03d}.dcm")
    for seed, item in zip((1, 2), find_volumes(tmp_path, tmp_path / "out"), strict=True):
        np.testing.assert_array_equal(
            load(**item | {"path": item["image"]})[0].numpy(), head(seed=seed).astype(np.int16)
        )


def test_a_series_without_identifier_is_the_only_one(tmp_path):
    assert load(write_series(tmp_path / "one", head())).shape == (1, 17, 22, 19)


def test_a_series_with_a_missing_slice_is_refused(tmp_path):
    with pytest.raises(Exception, match=r"not evenly spaced .* some are missing or doubled"):
        load(write_series(tmp_path / "gap", head(), skip=(7,)))


def test_a_trailing_axis_of_one_is_dropped(tmp_path):
    assert load(write_nifti(tmp_path / "a.nii.gz", head()[..., None])).shape == (1, 17, 22, 19)


def test_the_affine_is_the_files_own(tmp_path):
    image = nib.Nifti1Image(head(), affine())
    image.header.set_zooms((1.0, 1.0, 1.0))  # does not agree with the sform of 2 mm
    image.header["sform_code"] = 1
    nib.save(image, tmp_path / "a.nii.gz")
    own = nib.load(tmp_path / "a.nii.gz")
    for volume in (load(tmp_path / "a.nii.gz"), LoadVolumed("image")({"image": own})["image"]):
        np.testing.assert_allclose(volume.affine, own.affine)
        np.testing.assert_allclose(volume.meta["original_affine"], own.affine)


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_an_image_in_memory_is_the_same_as_its_file(tmp_path, kind):
    image = kind((10 * head()).astype(np.int16), affine("LAS", tilt=0.1))
    image.header.set_slope_inter(0.1, 5)
    nib.save(image, tmp_path / "a.nii.gz")
    from_file = load(tmp_path / "a.nii.gz")
    for given in (nib.load(tmp_path / "a.nii.gz"), kind(from_file[0].numpy(), image.affine)):
        volume = LoadVolumed("image")({"image": given})["image"]
        np.testing.assert_array_equal(volume, from_file)
        np.testing.assert_allclose(volume.affine, from_file.affine, atol=1e-5)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.mha"])
def test_float64_is_kept_where_float32_would_round_the_head_away(tmp_path, name):
    def written(volume):
        return load((write_itk if name == "a.mha" else write_nifti)(tmp_path / name, volume))[0]

    offset = head().astype(np.float64) + 1e9
    assert written(offset).dtype == torch.float64
    np.testing.assert_array_equal(written(offset), offset)
    for volume in (head().astype(np.float64), 1e-12 * head().astype(np.float64), head(), head().astype(np.int16)):
        assert written(volume).dtype == torch.float32
        np.testing.assert_allclose(written(volume), volume, rtol=1e-6)
    offset[0, 0] = np.nan
    assert written(offset).dtype == torch.float64


def test_nifti_2_is_read(tmp_path):
    nib.save(nib.Nifti2Image(head(), affine()), tmp_path / "a.nii.gz")
    assert load(tmp_path / "a.nii.gz").shape == (1, 17, 22, 19)


def test_voxels_must_be_real_numbers(tmp_path):
    colours = np.zeros((17, 18, 19), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    with pytest.raises(ValueError, match=r"the voxels are colours \(R, G, B\)"):
        load(write_nifti(tmp_path / "rgb.nii.gz", colours))
    with pytest.raises(ValueError, match="the voxels are of type complex64"):
        load(write_nifti(tmp_path / "complex.nii.gz", head().astype(np.complex64)))
    (tmp_path / "empty.nii.gz").touch()
    with pytest.raises(ValueError, match="the file is empty"):
        load(tmp_path / "empty.nii.gz")


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd"])
def test_without_itk_its_formats_name_it_and_nifti_is_read(tmp_path, monkeypatch, name):
    path = write_itk(tmp_path / name, head())
    nifti = write_nifti(tmp_path / "a.nii.gz")
    monkeypatch.setitem(sys.modules, "itk", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        LoadVolumed("image")({"image": str(path)})
    assert "pip install itk" in failure_reason(caught.value)
    assert LoadVolumed("image")({"image": str(nifti)})["image"].shape == (1, *head().shape)


def test_the_loader_may_be_asked_for_the_metadata_too(tmp_path):
    """MONAI Label sets this on every ``LoadImaged`` of a bundle."""
    path = write_nifti(tmp_path / "a.nii.gz")
    load = LoadVolumed("image")
    load._loader.image_only = False
    volume = load({"image": str(path)})["image"]
    assert volume.shape == (1, *head().shape)
    np.testing.assert_allclose(volume.affine, affine())


@pytest.mark.parametrize(("inter", "dtype"), [(0, torch.float32), (5, torch.float32), (1e9, torch.float64)])
def test_16_bits_on_a_large_offset_are_float64(tmp_path, inter, dtype):
    image = nib.Nifti1Image(head().astype(np.int16), affine())
    image.header.set_slope_inter(1, inter)
    nib.save(image, tmp_path / "a.nii.gz")
    volume = load(tmp_path / "a.nii.gz")
    assert volume.dtype == dtype
    np.testing.assert_array_equal(volume[0].numpy(), head().astype(np.int16) + inter)


@pytest.mark.parametrize(("name", "dtype"), [("signed char", np.int8), ("int64", np.int64)])
def test_types_that_itk_has_no_images_of_are_read(tmp_path, name, dtype):
    values = (head() / head().max() * 100).astype(dtype)
    text = f"NRRD0004\ntype: {name}\ndimension: 3\nspace: right-anterior-superior\nsizes: 17 22 19\nendian: little\n"
    text += "space directions: (2,0,0) (0,2,0) (0,0,2)\nencoding: raw\nspace origin: (0,0,0)\n\n"
    (tmp_path / "a.nrrd").write_bytes(text.encode() + values.tobytes("F"))
    volume = load(tmp_path / "a.nrrd")
    np.testing.assert_array_equal(volume[0].numpy(), values)
    np.testing.assert_allclose(np.diag(volume.affine), [2, 2, 2, 1])


def test_trailing_axes_of_length_one_are_left_out(tmp_path):
    image = nib.Nifti1Image(head().astype(np.int16)[..., None, None], affine())
    image.header.set_slope_inter(2.0, 1.0)
    nib.save(image, tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(
        load(tmp_path / "a.nii.gz").numpy(), np.asarray(nib.load(tmp_path / "a.nii.gz").dataobj)[None, ..., 0, 0]
    )
    nib.save(nib.Nifti1Image(np.stack([head()] * 3, -1)[..., None, :], affine()), tmp_path / "b.nii.gz")
    with pytest.raises(ValueError, match=r"the image has 5 axes \(17, 22, 19, 1, 3\)"):
        load(tmp_path / "b.nii.gz")
