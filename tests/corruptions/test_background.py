# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from scripts.corruptions import Corruption, Draws, RandDeface, RandFieldOfView, RandGaussianNoise, RandSkullStrip
from scripts.corruptions.background import depth_in_head, dilated


def keys(count: int) -> dict:
    return {"subject": torch.arange(count), "slice": torch.arange(count), "epoch": 0}


def ball(size: int, radius: float) -> torch.Tensor:
    place = torch.arange(size) - (size - 1) / 2
    return ((place[:, None, None] ** 2 + place[:, None] ** 2 + place**2) <= radius**2).float()[None, None]


@pytest.mark.parametrize("shape", [(9, 12), (9, 8, 7)], ids=["2d", "3d"])
def test_a_point_grows_into_a_box_that_is_cut_at_the_border(shape):
    mask = torch.zeros(1, 1, *shape, dtype=torch.bool)
    mask[(0, 0, 4, 1, 3)[: 2 + len(shape)]] = True
    grown = dilated(mask, [2, 3, 0][: len(shape)])
    expected = torch.zeros_like(mask)
    expected[(0, 0, slice(2, 7), slice(0, 5), 3)[: 2 + len(shape)]] = True
    assert torch.equal(grown, expected)


def test_depth_is_the_way_to_the_air_along_the_nearest_axis_in_millimetres():
    box = torch.zeros(1, 1, 40, 40, 40)
    box[:, :, 10:30, 10:30, 10:30] = 1.0
    depth = depth_in_head(box, (1.0, 1.0, 2.0))[0, 0]
    assert depth[9, 20, 20] == 0
    assert depth[10, 20, 20] == 1.0
    assert depth[20, 20, 10] == 2.0
    assert depth[19, 19, 19] == 10.0
    assert depth[12, 15, 11] == 3.0


def test_a_dark_skull_is_no_air():
    head = ball(41, 18) * (1 - ball(41, 15)) + ball(41, 13)  # 2 voxels of skull
    depth = depth_in_head(head, (2.0, 2.0, 2.0))
    assert depth[ball(41, 17) > 0].min() > 0
    assert depth[0, 0, 20, 20, 20] == 38


@pytest.mark.parametrize("step", [RandSkullStrip, RandDeface, RandFieldOfView])
@pytest.mark.parametrize("shape", [(1, 40, 44), (3, 40, 44), (1, 40, 44, 30)], ids=["slice", "stack", "volume"])
def test_damaged_image_and_target_lose_the_same_part_and_keep_the_rest(step, shape):
    images = torch.rand(5, *shape) + 0.2
    damaged, target = Corruption([RandGaussianNoise([0.1, 0.1])], background=[step()]).pair(images, keys(5))
    kept = target != 0
    assert torch.equal(kept, damaged != 0)
    assert torch.equal(target[kept], images[kept])
    assert (damaged[kept] - images[kept]).std() == pytest.approx(0.1, rel=0.05)
    assert (~kept).flatten(1).any(1).all()
    assert kept.flatten(1).any(1).all()
    assert torch.equal(Corruption([], background=[step(prob=0.0)]).pair(images, keys(5))[1], images)


def test_a_known_brain_is_kept_and_a_rough_one_is_found_deep_in_the_head():
    head = torch.cat([ball(41, 18), ball(41, 14)])
    brain = torch.rand(2, 1, 41, 41, 41) > 0.5
    stripped = Corruption([], background=[RandSkullStrip()]).pair(head, {**keys(2), "brain": brain})[1]
    assert torch.equal(stripped, head * brain)
    rough = RandSkullStrip(depth_mm=[10.0, 10.0])(head, Draws(0, keys(2)))
    assert torch.equal(rough[0, 0, 20, 20].nonzero()[[0, -1], 0], torch.tensor([7, 33]))


def test_a_face_is_cut_off_below_the_brow_and_before_the_slope():
    head = torch.zeros(1, 1, 60, 60)
    head[:, :, 10:51, 5:46] = 1.0  # 41 pixels high and deep
    kept = RandDeface(brow=[0.5, 0.5], slope=[0.8, 0.8]).kept(head, Draws(0, keys(1)))[0, 0]
    for height, depth, stays in [(0.4, 0.0, True), (0.6, 0.0, False), (0.75, 0.15, False), (0.75, 0.25, True)]:
        assert kept[10 + round(40 * height), 5 + round(40 * depth)] == stays
    turned = RandDeface(brow=[0.5, 0.5], slope=[0.8, 0.8], inferior=(1, -1), anterior=(0, 1))
    flipped = head.transpose(2, 3).flip(2, 3)
    assert torch.equal(turned.kept(flipped, Draws(0, keys(1)))[0, 0], kept.T.flip(0, 1))


def test_a_field_of_view_is_a_box_within_its_margins():
    kept = RandFieldOfView(margin=[0.1, 0.2]).kept(torch.ones(300, 1, 40, 50), Draws(0, keys(300)))[:, 0]
    for axis, size in ((1, 40), (2, 50)):
        line = kept.any(3 - axis)
        first, last = line.int().argmax(1), size - 1 - line.flip(1).int().argmax(1)
        for margin in (first, size - 1 - last):
            assert margin.min() == round(0.1 * size)
            assert margin.max() == round(0.2 * size)
        assert torch.equal(line.sum(1), last - first + 1)
