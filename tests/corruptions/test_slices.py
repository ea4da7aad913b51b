# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch

from scripts.corruptions import Draws, RandThickSlices, thick_slices


def volumes(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def thick(image: torch.Tensor, thickness: float, offset: float = 0.0) -> torch.Tensor:
    return thick_slices(image, torch.full((len(image),), thickness), torch.full((len(image),), offset))


@pytest.mark.parametrize(("thickness", "offset"), [(2, 0), (3, 0), (3, 1), (3, 2), (5, 3), (1.5, 0), (2.5, 2)])
def test_a_ramp_through_the_slices_stays_where_it_is(thickness, offset):
    ramp = torch.arange(20.0).expand(1, 1, 2, 3, 20)
    damaged = thick(ramp, thickness, offset)
    edge = int(np.ceil(thickness / 2))
    torch.testing.assert_close(damaged[..., edge:-edge], ramp[..., edge:-edge], rtol=0, atol=1e-5)
    assert damaged.min() >= 0
    assert damaged.max() <= 19  # the ends repeat the outermost average


@pytest.mark.parametrize("thickness", [2, 3, 4])
def test_whole_groups_keep_the_mean(thickness):
    image = volumes(2, 1, 3, 4, 24)
    torch.testing.assert_close(thick(image, thickness).mean((2, 3, 4)), image.mean((2, 3, 4)), rtol=0, atol=1e-7)


@pytest.mark.parametrize(("thickness", "offset", "depth"), [(3, 1, 11), (4, 0, 9), (2, 1, 6), (5, 2, 5)])
def test_it_is_the_average_of_groups_put_back_by_numpys_interpolation(thickness, offset, depth):
    image = volumes(1, 1, 2, 2, depth)
    groups = [np.arange(max(0, s), min(depth, s + thickness)) for s in range(-offset, depth, thickness)]
    middles = [group.mean() for group in groups]
    means = np.stack([image[..., torch.tensor(group)].mean(-1).numpy() for group in groups], axis=-1)
    expected = np.apply_along_axis(lambda line: np.interp(np.arange(depth), middles, line), -1, means)
    np.testing.assert_allclose(thick(image, thickness, offset).numpy(), expected, atol=1e-6)


def test_parts_of_slices_count_by_their_share():
    line = torch.tensor([0.0, 3.0, 6.0, 0.0, 0.0, 0.0]).view(1, 1, 1, 1, 6)
    # groups [0, 1.5) and [1.5, 3): (0 + 3 / 2) / 1.5 = 1 at slice 1/3, (3 / 2 + 6) / 1.5 = 5 at 5/3
    assert thick(line, 1.5)[..., 1].item() == pytest.approx(3.0)


def test_single_slices_as_thick_as_before_stay_as_they_are():
    image = volumes(2, 1, 4, 4, 7)
    torch.testing.assert_close(thick(image, 1), image, rtol=0, atol=0)


def test_a_stack_is_a_volume_of_its_slices_and_each_has_its_own_thickness():
    stack = volumes(3, 7, 4, 5)
    thickness, offset = torch.tensor([1.0, 2.0, 3.5]), torch.tensor([0.0, 1.0, 2.0])
    damaged = thick_slices(stack, thickness, offset)
    volume = thick_slices(stack.movedim(1, -1)[:, None], thickness, offset)
    assert torch.equal(damaged, volume[:, 0].movedim(-1, 1))
    for number in range(3):
        alone = thick_slices(stack[number : number + 1], thickness[number : number + 1], offset[number : number + 1])
        assert torch.equal(damaged[number : number + 1], alone)


def test_a_slice_without_neighbours_stays_as_it_is():
    keys = {"subject": torch.arange(4), "slice": torch.arange(4), "epoch": 0}
    image = volumes(4, 1, 6, 6)
    torch.testing.assert_close(RandThickSlices()(image, Draws(0, keys)), image, rtol=0, atol=0)


def test_drawn_groups_start_anywhere():
    keys = {"subject": torch.arange(200), "slice": torch.zeros(200, dtype=torch.int64), "epoch": 0}
    point = torch.zeros(200, 1, 1, 1, 15)
    point[..., 7] = 1.0
    peaks = RandThickSlices([3.0, 3.0])(point, Draws(0, keys)).argmax(-1).flatten()
    assert set(peaks.tolist()) == {6, 7, 8}  # the middle of the group in which the point is


def test_rows_and_columns_of_slices_can_be_thick_too():
    image = volumes(3, 1, 8, 12)
    draws = Draws(0, {"subject": torch.arange(3), "slice": torch.arange(3), "epoch": 0})
    for axis, place in (("rows", 2), ("columns", 3)):
        damaged = RandThickSlices([2, 3], axis=axis)(image, draws)
        lines = image.movedim(place, -1)[:, :, :, None]  # each line a volume of one row
        expected = RandThickSlices([2, 3])(lines, draws)[:, :, :, 0].movedim(-1, place)
        torch.testing.assert_close(damaged, expected)
        assert (damaged - image).abs().amax() > 0.1
    ramp = torch.arange(8.0).view(1, 1, 8, 1).expand(3, 1, 8, 12)
    torch.testing.assert_close(RandThickSlices(axis="columns")(ramp, draws), ramp)


def test_a_volume_with_thick_rows_is_one_of_its_slices_with_thick_rows():
    volume = volumes(1, 1, 8, 6, 5)
    draws = Draws(0, {"subject": torch.arange(1), "slice": torch.arange(1), "epoch": 0})
    step = RandThickSlices([2, 2], axis="rows")
    torch.testing.assert_close(step(volume, draws)[..., 3], step(volume[..., 3], draws))
    turned = RandThickSlices([2, 2])(volume.movedim(2, -1), draws)
    torch.testing.assert_close(step(volume, draws), turned.movedim(-1, 2))


def test_another_axis_is_refused():
    with pytest.raises(ValueError, match="axis must be slices, rows or columns, got 'z'"):
        RandThickSlices(axis="z")
