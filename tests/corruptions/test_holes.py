# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from scipy import ndimage

from scripts.corruptions import Corruption, Draws, RandBiasField, RandGaussianNoise, RandLesionHoles
from scripts.corruptions.holes import blob_mask, deep_places


def keys(count: int) -> dict:
    return {"subject": torch.arange(count), "slice": torch.zeros(count, dtype=torch.int64), "epoch": 0}


def test_a_smooth_blob_is_an_ellipsoid():
    centre, radius = torch.tensor([[[10.0, 12.0, 8.0]]]), torch.tensor([[[4.0, 6.0, 3.0]]])
    mask = blob_mask(centre, radius, torch.zeros(1, 1, 2, 2, 2), (24, 25, 18), 0.3)[0, 0]
    grid = torch.meshgrid(*(torch.arange(size) for size in mask.shape), indexing="ij")
    expected = sum(((g - c) / r) ** 2 for g, c, r in zip(grid, centre[0, 0], radius[0, 0], strict=True)) < 1
    assert torch.equal(mask, expected)


def test_bumps_move_the_surface_by_their_share_and_components_of_no_size_are_left_out():
    centre, radius = torch.tensor([[[20.0] * 3, [5.0] * 3]]), torch.tensor([[[10.0] * 3, [0.0] * 3]])
    for bump in (-1.0, 1.0):
        mask = blob_mask(centre, radius, torch.full((1, 1, 2, 2, 2), bump), (41, 41, 41), 0.3)[0, 0]
        along = mask[20, 20].nonzero()[:, 0]
        assert (along[-1] - 20) == (6 if bump < 0 else 12)  # the last voxel nearer than 10 (1 +- 0.3)
        assert not mask[5, 5, 5]


def test_deep_places_lie_where_it_is_bright_all_around():
    head = torch.zeros(2, 1, 48, 48, 40)
    head[0, :, 20:44, 20:44, 12:36] = 1.0
    head[1, :, 4:28, 4:28, 4:28] = 1.0
    head[:, :, :2] = 1.0  # bright, but beside the air
    places = deep_places(head, torch.rand(2, 500, 4))
    for number, (low, high) in enumerate((([20, 20, 12], [44, 44, 36]), ([4, 4, 4], [28, 28, 28]))):
        assert (places[number] >= torch.tensor(low) - 0.5).all()  # the edge of the first voxel
        assert (places[number] <= torch.tensor(high) - 0.5).all()
        assert (places[number].amax(0) - places[number].amin(0)).min() > 6  # anywhere in it


def test_holes_have_the_drawn_sizes_number_and_run_through_slices():
    head = torch.ones(120, 1, 48, 48, 40)
    step = RandLesionHoles(diameter_mm=[3.0, 20.0], number=[1, 3], spacing_mm=2.0)
    holes = step(head, Draws(0, keys(120)))[:, 0] == 0
    counts, widths = [], []
    for hole in holes.numpy():
        labels, count = ndimage.label(hole)
        counts.append(count)
        widths += [2 * max(s.stop - s.start for s in box) for box in ndimage.find_objects(labels)]
    assert set(counts) >= {1, 2, 3}
    assert min(widths) <= 4
    assert 16 <= max(sorted(widths)[:-5]) <= 28  # bumps add up to 30 %, and two of them may touch
    assert holes.any(1).any(1).sum(1).float().mean() > 4  # slices


def test_the_same_millimetres_are_more_of_the_smaller_voxels():
    head = torch.ones(20, 1, 48, 48, 48)
    steps = [RandLesionHoles([12.0, 12.0], [1, 1], spacing_mm=spacing) for spacing in (2.0, 1.0, (2.0, 2.0, 1.0))]
    coarse, fine, flat = (step.mask(head, Draws(0, keys(20))).sum().item() for step in steps)
    assert fine / coarse == pytest.approx(8, rel=0.2)
    assert flat / coarse == pytest.approx(2, rel=0.2)


@pytest.mark.parametrize("shape", [(1, 48, 40), (5, 48, 40), (1, 48, 40, 20)], ids=["slice", "stack", "volume"])
def test_the_mask_is_what_is_erased_wherever_the_step_stands(shape):
    images = torch.rand(20, *shape) + 0.5
    noise = [RandBiasField([3.0, 3.0]), RandGaussianNoise([0.1, 0.1])]  # gain moves the holes
    corruption = Corruption([noise[0], RandLesionHoles(prob=0.5), noise[1]], seed=1, untouched_prob=0.2)
    damaged, mask = corruption(images, keys(20)), corruption.hole_mask(images, keys(20))
    before = Corruption(corruption.steps[:2], seed=1, untouched_prob=0.2)(images, keys(20))
    assert torch.equal(mask.expand_as(images), before == 0)
    assert 0.2 < mask.flatten(1).any(1).float().mean() < 0.7
    assert damaged[mask.expand_as(images)].abs().mean() == pytest.approx(0.08, rel=0.2)  # only the later noise
