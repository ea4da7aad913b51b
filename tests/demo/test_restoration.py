# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from scripts.demo.restoration import INSIDE, compare_heads, damage, damage_head, demo_head, psnr
from tests.helpers.volume_files import affine, head, write_nifti


def test_a_demo_head_is_the_same_each_time_and_ones_own():
    one, two = demo_head(spacing_mm=8.0), demo_head(spacing_mm=8.0)
    np.testing.assert_array_equal(one.get_fdata(), two.get_fdata())
    one.dataobj[:] = 0
    assert demo_head(spacing_mm=8.0).get_fdata().max() > 900
    assert nib.aff2axcodes(two.affine) == ("R", "A", "S")
    assert not np.array_equal(demo_head(seed=1, spacing_mm=8.0).get_fdata(), two.get_fdata())
    with pytest.raises(ValueError, match="spacing_mm must be positive, got 0"):
        demo_head(spacing_mm=0)


def test_damage_keeps_the_grid_and_depends_on_its_seed(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", head(), affine("LPS", tilt=0.1))
    before, damaged = nib.load(path), damage(path)
    assert (damaged.shape, damaged.get_data_dtype()) == (before.shape, np.float32)
    np.testing.assert_allclose(damaged.affine, before.affine, atol=1e-5)
    np.testing.assert_array_equal(damage(before).get_fdata(), damaged.get_fdata())
    np.testing.assert_array_equal(damage(head(), affine("LPS", tilt=0.1)).get_fdata(), damaged.get_fdata())
    for other in (damage(path, seed=1), damage(path, subject="b"), damage(path, severity=5), damage(path, kind="blur")):
        assert not np.array_equal(other.get_fdata(), damaged.get_fdata())
    np.testing.assert_allclose(damage(path, kind="clean").get_fdata(), head(), atol=1e-3)
    with pytest.raises(ValueError, match=r"kind of damage 'hole' is unknown: did you mean holes\?"):
        damage(path, kind="hole")
    damage_head(path, "b", tmp_path / "x/b.nii.gz", seed=3)
    np.testing.assert_array_equal(
        nib.load(tmp_path / "x/b.nii.gz").get_fdata(), damage(path, subject="b", seed=3).get_fdata()
    )


def test_psnr_is_of_the_voxels_inside_the_head(tmp_path):
    clean, matrix = head((24, 26, 28)), affine("RAS")
    high = float(np.percentile(clean, 99.5))
    worse = clean.copy()
    worse[clean > 0] += np.float32(0.1 * high)
    worse[0, 0, 0] = 10 * high  # air does not count
    images = {name: nib.Nifti1Image(volume, matrix) for name, volume in {"clean": clean, "worse": worse}.items()}
    assert psnr(images["worse"], images["clean"]) == pytest.approx(20, abs=0.1)
    assert psnr(images["clean"], images["clean"]) == float("inf")
    for name, image in images.items():
        nib.save(image, tmp_path / f"{name}.nii.gz")
    files = tmp_path / "clean.nii.gz", tmp_path / "worse.nii.gz", tmp_path / "clean.nii.gz"
    before, after = compare_heads("x", *files, ["axial"]).psnr[INSIDE]
    assert (before, after) == (psnr(files[1], files[0]), float("inf"))


def test_heads_of_different_grids_are_not_compared():
    with pytest.raises(ValueError, match=r"different grids: \(22, 17, 19\) and \(18, 17, 19\) voxels"):
        psnr(nib.Nifti1Image(head(), affine()), nib.Nifti1Image(head((17, 18, 19)), affine()))
    with pytest.raises(ValueError, match="different affines"):
        psnr(nib.Nifti1Image(head(), affine()), nib.Nifti1Image(head(), affine(tilt=0.1)))
