# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import torch

from scripts.transforms import ThesisSlicesd, thesis_slices


def test_slices_fill_the_unit_interval_at_the_thesis_size():
    slices = torch.rand(3, 1, 120, 100) * torch.tensor([1.0, 50.0, 4000.0]).view(3, 1, 1, 1) + 7
    made = thesis_slices(slices)
    assert made.shape == (3, 1, 128, 128)
    assert torch.equal(made.flatten(1).amin(1), torch.zeros(3))
    assert torch.equal(made.flatten(1).amax(1), torch.ones(3))


def test_halving_is_the_mean_of_two_by_two_eight_bit_pixels():
    levels = torch.randint(0, 256, (1, 1, 256, 256)).float()
    levels[0, 0, 0, :2] = torch.tensor([0.0, 255.0])
    halved = (levels / 255).view(1, 1, 128, 2, 128, 2).mean((3, 5))
    expected = (halved - halved.min()) / (halved.max() - halved.min())
    torch.testing.assert_close(thesis_slices(levels), expected, rtol=0, atol=1e-6)  # float32 rounding


def test_the_transform_keeps_slices_apart():
    volume = torch.rand(1, 20, 24, 4) * torch.tensor([1.0, 10.0, 100.0, 0.0])
    made = ThesisSlicesd(keys="image")({"image": volume, "subject": "a"})
    assert made["image"].shape == (1, 128, 128, 4)
    assert torch.equal(made["image"][..., 3], torch.zeros(1, 128, 128))  # a constant slice becomes zero
    torch.testing.assert_close(
        made["image"][..., 1:2].permute(3, 0, 1, 2), thesis_slices(volume[..., 1:2].permute(3, 0, 1, 2))
    )
