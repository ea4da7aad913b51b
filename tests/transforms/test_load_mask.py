# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from scripts.transforms import LoadMaskd, LoadVolumed
from scripts.transforms.domain import STRIPPED
from scripts.transforms.load_volume import WARNINGS
from tests.helpers.volume_files import affine, head


def loaded(mask: np.ndarray, matrix: np.ndarray | None = None, volume: np.ndarray | None = None) -> dict:
    image = nib.Nifti1Image(head() if volume is None else volume, affine())
    item = {"image": image, "mask": nib.Nifti1Image(mask, affine() if matrix is None else matrix)}
    return LoadMaskd("image")(LoadVolumed("image", stored_key="stored")(item))


def some(dtype: str = "u1") -> np.ndarray:
    mask = np.zeros((17, 22, 19), dtype=dtype)
    mask[7:9, 9:12, 8:12] = 2
    return mask


@pytest.mark.parametrize("dtype", ["u1", "i2", "f4", "f8"])
def test_what_is_not_zero_is_marked(dtype: str) -> None:
    item = loaded(some(dtype))
    np.testing.assert_array_equal(item["mask"].numpy()[0], some() > 0)
    assert WARNINGS not in item or not item[WARNINGS]
    assert item[STRIPPED] in (True, False)


def test_rounding_of_an_affine_is_no_other_grid() -> None:
    assert not loaded(some(), affine() + 1e-5).get(WARNINGS)


def test_a_shifted_mask_is_moved() -> None:
    matrix = affine()
    matrix[:3, 3] -= matrix[:3, 0] + matrix[:3, 2]
    item = loaded(some(), matrix)
    np.testing.assert_array_equal(item["mask"].numpy()[0], np.roll(some() > 0, (-1, -1), (0, 2)))
    assert "24 voxels of it became 24 here" in item[WARNINGS]


def test_lost_voxels_get_a_value_where_they_are_masked_alone() -> None:
    volume = head()
    volume[7, 9, 8] = volume[8, 10, 9] = np.nan
    volume[0, 0, 0] = np.inf
    item = loaded(some(), volume=volume)
    assert np.isfinite(item["image"].numpy()[0][some() > 0]).all()
    assert np.isinf(item["image"].numpy()[0, 0, 0, 0])
    assert np.isnan(np.frombuffer(item["stored"], dtype=np.float32).reshape(volume.shape)[7, 9, 8])


def test_the_share_of_the_head_is_limited() -> None:
    inside = (head() > 0).astype(np.uint8)
    inside[:10] = 0
    share = inside.sum() / (head() > 0).sum()
    assert share < 0.5
    assert loaded(inside)["mask"].sum() == inside.sum()
    inside[6:] = head()[6:] > 0
    with pytest.raises(ValueError, match=r"covers \d\d % of the head: at most 50 %"):
        loaded(inside)
