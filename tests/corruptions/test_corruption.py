# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

import pytest
import torch

from scripts.corruptions import (
    Corruption,
    EachSlice,
    RandBiasField,
    RandGaussianBlur,
    RandGaussianNoise,
    RandHoles,
    RandPixelDropout,
    RandThickSlices,
    VolumeCorruption,
)


class Mark:
    """Adds a power of two to the images that it is called with, so that the sum tells the steps."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, images, draws):
        return images + 2.0**self.number


def keys(count: int) -> dict:
    return {"subject": torch.arange(count), "slice": torch.arange(count), "epoch": 0}


def test_each_image_is_damaged_by_a_drawn_number_of_steps():
    count = 4000
    images = torch.zeros(count, 1, 2, 2)
    corruption = Corruption([Mark(n) for n in range(5)], numbers=[1, 2, 3, 3], weights=[1, 1, 1, 1, 4])
    total = corruption(images, keys(count))[:, 0, 0, 0].long()
    done = (total[:, None] >> torch.arange(5)) % 2  # (images, steps)
    numbers = done.sum(1).bincount(minlength=6).tolist()
    assert numbers[0] == numbers[4] == numbers[5] == 0
    assert all(abs(n / count - share) < 0.03 for n, share in zip(numbers[1:4], (1 / 4, 1 / 4, 1 / 2), strict=True))
    alone = done[done.sum(1) == 1].float().mean(0)
    assert alone[4].item() == pytest.approx(4 / 8, abs=0.06)
    assert alone[:4].sub(1 / 8).abs().max() < 0.04
    assert not torch.equal(corruption(images, {**keys(count), "epoch": 1})[:, 0, 0, 0].long(), total)


def test_drawn_steps_damage_as_they_would_alone_in_any_batch():
    images = torch.rand(40, 1, 24, 20)
    steps = [RandGaussianNoise([0.1, 0.1]), RandPixelDropout([0.2, 0.2]), RandHoles([5, 9], prob=1.0)]
    corruption = Corruption(steps, seed=3, numbers=[1])
    damaged = corruption(images, keys(40))
    alone = torch.stack([Corruption([step], seed=3)(images, keys(40)) for step in steps])
    same = (alone == damaged).flatten(2).all(2)
    assert (same.sum(0) == 1).all()
    assert same.any(1).all()
    some = torch.tensor([31, 2, 17])
    apart = corruption(images[some], {name: value[some] if name != "epoch" else 0 for name, value in keys(40).items()})
    assert torch.equal(apart, damaged[some])
    holes = corruption.hole_mask(images, keys(40))
    assert torch.equal(holes.flatten(1).any(1), same[2])
    assert torch.equal(holes & same[2].view(-1, 1, 1, 1), (damaged == 0) & same[2].view(-1, 1, 1, 1))


def test_a_slice_of_a_volume_or_stack_is_damaged_as_it_is_alone():
    volume = torch.rand(2, 1, 20, 24, 9)
    steps = [RandPixelDropout([0.1, 0.1]), RandGaussianNoise([0.1, 0.1]), RandHoles([4, 8], prob=0.5)]
    steps += [RandGaussianBlur(0.6, prob=0.5), RandBiasField([0.2, 0.2])]
    subjects = torch.tensor([5, 8])
    whole = VolumeCorruption([EachSlice(steps)], seed=1)
    damaged = whole(volume, {"subject": subjects, "slice": 0, "epoch": 2})
    mask = whole.hole_mask(volume, {"subject": subjects, "slice": 0, "epoch": 2})
    single = Corruption(steps, seed=1)
    for index in range(9):
        one = {"subject": subjects, "slice": torch.full((2,), index), "epoch": 2}
        torch.testing.assert_close(single(volume[..., index], one), damaged[..., index], rtol=0, atol=1e-6)
        assert torch.equal(single.hole_mask(volume[..., index], one), mask[..., index])
    stack = volume[:, 0, :, :, 2:7].movedim(-1, 1)
    middle = {"subject": subjects, "slice": torch.full((2,), 4), "epoch": 2}
    from_stack = Corruption([EachSlice(steps)], seed=1)(stack, middle)
    torch.testing.assert_close(from_stack, damaged[:, 0, :, :, 2:7].movedim(-1, 1), rtol=0, atol=1e-6)


def test_only_holes_count_as_holes():
    images = torch.rand(2, 3, 16, 16)
    assert Corruption([EachSlice([RandGaussianNoise()])]).hole_mask(images, keys(2)) is None
    assert Corruption([EachSlice([RandHoles([4, 4], prob=1.0)])]).hole_mask(images, keys(2)).sum() == 2 * 3 * 16


def test_all_slices_of_a_volume_share_its_damage():
    volume = torch.rand(2, 1, 8, 8, 6)
    corruption = VolumeCorruption([RandGaussianNoise([0.1, 0.1]), RandThickSlices([2.0, 2.0])])
    subjects = torch.tensor([1, 2])
    damaged = corruption(volume, {"subject": subjects, "slice": torch.tensor([3, 4]), "epoch": 0})
    assert torch.equal(damaged, corruption(volume, {"subject": subjects, "epoch": 0}))
    torch.testing.assert_close(damaged[..., 0].std(), damaged[..., 1].std(), rtol=0.5, atol=0)
    with pytest.raises(ValueError, match=r"volumes have the shape \(B, 1, H, W, D\), got \(2, 1, 8, 8\)"):
        corruption(volume[..., 0], {"subject": subjects, "epoch": 0})


def test_numbers_and_weights_are_checked():
    for wrong in ([1, 3], []):
        with pytest.raises(ValueError, match=rf"numbers must be some from 0 to 2, .* got {re.escape(str(wrong))}"):
            Corruption([Mark(0), Mark(1)], numbers=wrong)
    with pytest.raises(ValueError, match=r"weights must be 2 positive numbers, one for each step, got \[1, 0\]"):
        Corruption([Mark(0), Mark(1)], numbers=[1, 2], weights=[1, 0])
