# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from scripts.corruptions import (
    Corruption,
    Draws,
    EachSlice,
    RandGaussianNoise,
    RandUndersampling,
    VolumeCorruption,
    undersampling,
)
from scripts.corruptions.undersampling import equispaced_lines, random_lines


def lines_in_order(lines: torch.Tensor) -> torch.Tensor:
    return torch.fft.fftshift(lines, dim=1)


def test_every_line_measured_changes_nothing():
    image = torch.rand(2, 1, 24, 30, 4, dtype=torch.float64)
    one, none = torch.ones(2), torch.zeros(2)
    rows, columns = equispaced_lines(24, one, none, none), random_lines(torch.rand(2, 30), one, none)
    assert rows.all()
    assert columns.all()
    torch.testing.assert_close(undersampling(image, rows, columns, torch.tensor([0, 1])), image)


@pytest.mark.parametrize("axis", [0, 1], ids=["rows", "columns"])
def test_every_second_line_folds_the_head_over_itself(axis):
    image = torch.rand(1, 2, 24, 32, dtype=torch.float64)
    two, none = torch.full((1,), 2.0), torch.zeros(1)
    lines = [equispaced_lines(size, two, none, none) for size in (24, 32)]
    folded = undersampling(image, *lines, torch.tensor([axis]))
    size = image.shape[2 + axis]
    torch.testing.assert_close(folded, (image + image.roll(size // 2, 2 + axis)) / 2)


@pytest.mark.parametrize("size", [120, 97])
def test_random_lines_are_as_many_as_asked_with_the_centre_among_them(size):
    acceleration, centre = torch.tensor([3.0, 3.5, 1.5]).repeat(400), torch.tensor([0.1, 0.08, 0.0]).repeat(400)
    uniform = torch.rand(1200, size, generator=torch.Generator().manual_seed(0))
    lines = lines_in_order(random_lines(uniform, acceleration, centre))
    assert torch.equal(lines.sum(1), (size / acceleration).round().long())
    width = round(0.1 * size)
    first = size // 2 - width // 2
    assert lines[::3, first : first + width].all()
    assert lines[:, size // 2].all()  # the mean of the image
    outside = torch.cat([lines[::3, :first], lines[::3, first + width :]], dim=1).float().mean(0)
    share = (round(size / 3) - width) / (size - width)
    assert (outside - share).abs().max() < 0.12  # 5 standard errors of 400 draws


@pytest.mark.parametrize("acceleration", [2.0, 3.5, 4.0])
def test_equispaced_lines_lie_at_equal_distances(acceleration):
    offset = torch.linspace(0, 0.99, 50)
    factor, centre = torch.full((50,), acceleration), torch.full((50,), 0.1)
    lines = lines_in_order(equispaced_lines(120, factor, centre, offset))
    assert lines[:, 54:66].all()
    assert (lines.sum(1) - 120 / acceleration).abs().max() <= 1.5  # the centre takes the place of one more or less
    step = 108 / (120 / acceleration - 12)
    for line in lines:
        gaps = line[:53].nonzero()[:, 0].diff()
        assert ((gaps == int(step)) | (gaps == -int(-step))).all() or gaps.max() - gaps.min() <= 1
        assert gaps.float().mean().item() == pytest.approx(step, abs=1 / len(gaps))
    assert len(lines.unique(dim=0)) > 1  # another offset, other lines


def test_drawn_lines_are_the_same_in_all_slices_and_differ_between_subjects():
    keys = {"subject": torch.arange(6), "slice": torch.zeros(6, dtype=torch.int64), "epoch": 0}
    flat = torch.zeros(6, 1, 32, 32, 3)
    flat[:, :, 16, 16] = 1.0
    damaged = RandUndersampling([3.0, 3.0])(flat, Draws(0, keys))
    torch.testing.assert_close(damaged[..., 0], damaged[..., 2], rtol=0, atol=1e-7)
    assert len(damaged[..., 0].flatten(1).unique(dim=0)) == 6
    assert damaged[:, 0, 16, 16, 0].sub(11 / 32).abs().max() < 1e-6  # a point keeps the share of the lines


def test_an_unknown_pattern_is_named():
    with pytest.raises(ValueError, match='pattern must be "random" or "equispaced", got \'radial\''):
        RandUndersampling(pattern="radial")  # type: ignore[arg-type]


KEYS = {"subject": torch.arange(6), "slice": torch.arange(6), "epoch": 0}


@pytest.mark.parametrize("pattern", ["random", "equispaced"])
def test_the_magnitude_of_what_was_acquired_is_the_damaged_image(pattern):
    images = torch.rand(6, 1, 23, 30)
    corruption = Corruption([RandUndersampling([3.5, 3.5], pattern=pattern)], seed=3)
    kspace, measured = corruption.acquisition(images, KEYS)
    assert kspace.shape == (6, 1, 23, 30, 2)
    assert not kspace[~measured].any()
    uncentred = torch.fft.ifftshift(torch.view_as_complex(kspace), dim=(2, 3))
    zero_filled = torch.fft.fftshift(torch.fft.ifft2(uncentred, norm="ortho"), dim=(2, 3)).abs()
    torch.testing.assert_close(zero_filled, corruption(images, KEYS))
    rows, columns = measured.all(dim=3).any(dim=2), measured.all(dim=2).any(dim=2)
    assert (rows ^ columns).all()  # whole lines along one axis
    assert measured[:, :, 11, 15].all()  # the mean


def test_what_is_acquired_is_that_of_the_images_before_the_lines_were_left_out():
    images = torch.rand(6, 1, 16, 16)
    noise, lines_out = RandGaussianNoise(std=[0.1, 0.1]), RandUndersampling()
    noisy = Corruption([noise])(images, KEYS)
    expected = Corruption([lines_out]).acquisition(noisy, KEYS)
    for steps in ([noise, lines_out], [noise, lines_out, RandGaussianNoise(std=[1, 1])]):
        torch.testing.assert_close(Corruption(steps).acquisition(images, KEYS), expected)
    assert Corruption([noise]).acquisition(images, KEYS) is None


def test_images_that_keep_their_lines_are_measured_whole():
    images = torch.rand(6, 1, 16, 16)
    step = RandUndersampling([4, 4])
    chosen = Corruption([step, RandUndersampling([2, 2])], numbers=[1]).acquisition(images, KEYS).measured
    assert {round(16 * 16 / int(m.sum())) for m in chosen} == {2, 4}  # one of the two, never both
    for corruption in (
        Corruption([RandUndersampling([4, 4], prob=0.5)]),
        Corruption([step, RandGaussianNoise()], numbers=[1]),
        Corruption([step], untouched_prob=0.5),
    ):
        whole = corruption.acquisition(images, KEYS).measured.flatten(1).all(dim=1)
        assert 0 < whole.sum() < 6


def test_all_slices_of_a_volume_or_stack_have_the_same_lines():
    volume = torch.rand(1, 1, 16, 24, 5)
    keys = {"subject": torch.tensor([4]), "slice": torch.tensor([0]), "epoch": 0}
    steps = [RandUndersampling([3, 3])]
    whole = VolumeCorruption(steps).acquisition(volume, {**keys, "slice": torch.tensor([9])})
    stack = Corruption(steps).acquisition(volume[:, 0].movedim(-1, 1), keys)
    assert whole.kspace.shape == (1, 5, 16, 24, 2)
    torch.testing.assert_close(whole, stack)
    one = Corruption(steps).acquisition(volume[..., 2], keys)
    torch.testing.assert_close(whole.kspace[:, 2:3], one.kspace)
    with pytest.raises(ValueError, match="volumes have the shape"):
        VolumeCorruption(steps).acquisition(volume[..., 0], keys)
    assert VolumeCorruption([EachSlice(steps)]).acquisition(volume, keys) is None  # not one scan
