# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor

from scripts.transforms import SplitSlicePhasesd, join_phases, split_phases


@pytest.mark.parametrize("factors", [(1, 1), (2, 2), (3, 1), (2, 3)])
def test_every_pixel_comes_back_from_its_phase(factors):
    volume = torch.rand(2, 17, 22, 5)
    phases = split_phases(volume, factors)
    f, g = factors
    assert phases.shape == (2, -(-17 // f), -(-22 // g), f * g * 5)
    assert torch.equal(join_phases(phases, factors, (17, 22)), volume)


def test_a_phase_is_every_other_pixel_of_one_slice():
    volume = torch.arange(1 * 4 * 6 * 2.0).reshape(1, 4, 6, 2)
    phases = split_phases(volume, (2, 2))
    slices = [phases[0, :, :, index] for index in range(8)]
    expected = [volume[0, row::2, column::2, k] for row in range(2) for column in range(2) for k in range(2)]
    assert all(torch.equal(left, right) for left, right in zip(slices, expected, strict=True))


@pytest.mark.parametrize(
    ("spacing", "shape"),
    [((2.0, 2.0, 1.0), (17, 22, 5)), ((1.0, 0.7, 1.0), (9, 8, 30)), ((1.4, 5.0, 9.0), (17, 22, 5))],
)
def test_the_spacing_decides_and_the_inverse_is_exact(spacing, shape):
    # rows run along the third world axis: the pixel size must not be read from the first world axes
    affine = torch.zeros(4, 4, dtype=torch.float64)
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = -spacing[0], spacing[1], spacing[2], 1.0
    volume = MetaTensor(torch.rand(1, 17, 22, 5), affine=affine)
    transform = SplitSlicePhasesd(keys="image", spacing_mm=2.0)
    split = transform({"image": volume})
    assert split["image"].shape[1:] == shape
    back = transform.inverse(split)["image"]
    assert torch.equal(back.as_tensor(), volume.as_tensor())
    assert back.applied_operations == []


def test_a_pixel_size_of_nothing_is_refused():
    with pytest.raises(ValueError, match="spacing_mm must be positive, got 0"):
        SplitSlicePhasesd(keys="image", spacing_mm=0.0)
