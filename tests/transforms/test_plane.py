# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation

from scripts.transforms import OrientToPlaned
from scripts.transforms.plane import PLANE_AXCODES, plane_axcodes, plane_of
from tests.helpers.volume_files import affine

# A volume with axes P, S, R (as the shared heads have): value = 100 p + 10 s + r.
PSR = nib.orientations.inv_ornt_aff(nib.orientations.axcodes2ornt("PSR"), (3, 4, 5))


def oriented(plane: str) -> tuple[np.ndarray, np.ndarray]:
    p, s, r = np.meshgrid(np.arange(3), np.arange(4), np.arange(5), indexing="ij")
    volume = (100 * p + 10 * s + r).astype(np.float32)
    x = MetaTensor(torch.as_tensor(volume[None]), affine=torch.as_tensor(np.linalg.inv(PSR)))
    return volume, Orientation(axcodes=plane_axcodes(plane), labels=None)(x)[0].numpy()


def test_sagittal_slices_are_rot90_of_a_psr_volume():
    volume, turned = oriented("sagittal")
    np.testing.assert_array_equal(turned, np.stack([np.rot90(volume[:, :, k]) for k in range(5)], axis=-1))


@pytest.mark.parametrize(
    ("plane", "superior_first_row", "right_first_column"), [("coronal", True, True), ("axial", False, True)]
)
def test_rows_and_columns_follow_radiological_view(plane, superior_first_row, right_first_column):
    _, turned = oriented(plane)
    first, last_row, last_column = turned[0, 0, 0], turned[-1, 0, 0], turned[0, -1, 0]
    if superior_first_row:
        assert first > last_row  # superior voxels have the larger s
        assert abs(first - last_row) == 30
    else:
        assert last_row - first == 200  # anterior to posterior
    assert (first % 10 > last_column % 10) == right_first_column


def test_unknown_plane_is_named():
    with pytest.raises(ValueError, match=r"plane 'sagital' is unknown: choose one of sagittal, coronal, axial"):
        plane_axcodes("sagital")
    assert set(PLANE_AXCODES) == {"sagittal", "coronal", "axial"}


@pytest.mark.parametrize("codes", ["RAS", "LPI", "PSR", "IPR", "SLA"])
@pytest.mark.parametrize(("thick", "plane"), [(0, "sagittal"), (1, "coronal"), (2, "axial")])
def test_auto_takes_the_plane_of_thick_slices(codes, thick, plane):
    world = "LRPAIS"
    spacing = [6.0 if world.index(letter) // 2 == thick else 1.0 for letter in codes]
    assert plane_of(affine(codes, spacing, tilt=0.2)) == plane


@pytest.mark.parametrize(
    ("spacing", "plane"),
    [((2, 2, 2), "sagittal"), ((1, 1, 2.5), "sagittal"), ((0.9, 0.9, 3), "axial"), ((3, 3, 3), "sagittal"),
     ((3, 3, 3.5), "sagittal"), ((6, 6, 2), "sagittal")],
)  # fmt: skip
def test_without_thick_slices_it_is_that_of_the_training(spacing, plane):
    assert plane_of(affine("RAS", spacing)) == plane


@pytest.mark.parametrize("codes", ["RAS", "PSR"])
def test_a_volume_is_turned_and_turned_back(codes):
    volume = MetaTensor(torch.rand(1, 5, 6, 7), affine=affine(codes, (1.0, 1.0, 4.0) if codes == "RAS" else (1, 4, 1)))
    turn = OrientToPlaned("image")
    turned = turn({"image": volume})["image"]
    assert turned.meta["plane"] == "axial"
    np.testing.assert_array_equal(turned, Orientation(axcodes=plane_axcodes("axial"), labels=None)(volume))
    back = turn.inverse({"image": turned})["image"]
    np.testing.assert_array_equal(back, volume)
    np.testing.assert_allclose(back.affine, volume.affine)
    with pytest.raises(ValueError, match="plane 'axiel' is unknown"):
        OrientToPlaned("image", "axiel")
