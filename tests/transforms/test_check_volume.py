# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from scripts.transforms import check_volume
from tests.helpers.phantom import head

GOOD = torch.rand(1, 16, 17, 18, generator=torch.Generator().manual_seed(0))


def changed(value):
    volume = GOOD.clone()
    volume[0, 3, 4, 5] = value
    return volume


def test_a_good_volume_passes():
    check_volume(GOOD, torch.eye(4))


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        (GOOD[0], r"the image has 2 axes \(17, 18\): give one three-dimensional volume"),
        (GOOD[None], r"the image has 4 axes"),
        (GOOD.expand(3, -1, -1, -1), r"four-dimensional, 3 volumes or colours of \(16, 17, 18\)"),
        (GOOD[:, :15], r"the volume is \(15, 17, 18\): at least 16 voxels"),
        (changed(float("nan")), r"1 voxels inside the head are NaN or infinite"),
        (changed(float("inf")), r"1 voxels inside the head are NaN or infinite"),
        (torch.full_like(GOOD, 7), r"constant, every voxel is 7"),
    ],
)
def test_bad_volumes_are_refused(volume, message):
    with pytest.raises(ValueError, match=message):
        check_volume(volume, torch.eye(4))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_voxels_around_the_head_may_be_anything(value):
    volume = torch.from_numpy(head())[None]
    volume[0, :6] = value
    check_volume(volume, torch.eye(4))


def test_bad_affines_are_refused():
    flat = torch.eye(4)
    flat[2, 2] = 0
    with pytest.raises(ValueError, match="the affine is singular"):
        check_volume(GOOD, flat)
    with pytest.raises(ValueError, match="the affine has values that are NaN"):
        check_volume(GOOD, torch.full((4, 4), float("nan")))
    parallel = torch.eye(4)
    parallel[:3, 1] = parallel[:3, 0]
    with pytest.raises(ValueError, match="the affine is singular"):
        check_volume(GOOD, parallel)
