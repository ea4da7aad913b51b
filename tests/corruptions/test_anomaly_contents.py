# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from scripts.corruptions.anomaly_contents import (
    CONTENTS,
    Strengths,
    box_index,
    box_mean,
    box_smooth,
    contents,
    deform,
    unit_texture,
)
from scripts.corruptions.anomaly_shapes import box_offsets

MM = (2.0, 2.0, 2.0)
SIDE = 25
OFFSETS = box_offsets(torch.full((1, 3), 12.0), [SIDE] * 3, MM)
RADIAL = (OFFSETS[0] ** 2 + OFFSETS[1] ** 2 + OFFSETS[2] ** 2).sqrt()
WEIGHT = (RADIAL < 14).float()
INSIDE = WEIGHT[0] > 0
NOISE = torch.randn(1, SIDE, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
TISSUE = 0.6 + 0.1 * torch.sin(OFFSETS[0] / 3) + 0.02 * NOISE


def filled(name: str, boxes: torch.Tensor = TISSUE, weight: torch.Tensor = WEIGHT, **strength: float) -> torch.Tensor:
    usual = {"contrast": 0.2, "texture": 0.1, "blur": 4.0, "share": 1.0, "matched": 1.0, "pull": 0.5}
    strengths = Strengths(**{key: torch.tensor([value]) for key, value in {**usual, **strength}.items()})
    patches, texture = boxes.flip(1, 2) ** 2, NOISE.roll(7, 2)
    result = contents(boxes, weight, weight, OFFSETS, patches, texture, strengths, MM)
    assert len(result) == len(CONTENTS)
    return result[CONTENTS.index(name), 0]


@pytest.mark.parametrize("name", CONTENTS)
def test_nothing_changes_where_the_weight_is_zero(name):
    change = (filled(name) - TISSUE[0]).abs()
    assert change[~INSIDE].max() < 2e-5  # interpolation of a displacement of 0: the caller leaves these voxels out
    assert change[INSIDE].mean() > 0.005


@pytest.mark.parametrize("contrast", [0.2, -0.2])
def test_contrast_is_added_multiplied_or_that_of_the_new_tissue(contrast):
    before = TISSUE[0][INSIDE]
    torch.testing.assert_close(filled("shift", contrast=contrast)[INSIDE], before + contrast)
    torch.testing.assert_close(filled("gain", contrast=contrast)[INSIDE], before * (1 + contrast))
    replaced = filled("replaced", contrast=contrast)[INSIDE]
    assert (replaced.mean() - before.mean()).item() == pytest.approx(contrast, abs=0.005)
    assert abs(torch.corrcoef(torch.stack([replaced, before]))[0, 1]) < 0.1
    assert filled("shift", contrast=-0.8).min() == 0  # nothing is darker than air


def test_texture_has_its_standard_deviation_and_leaves_the_mean():
    before = TISSUE[0][INSIDE]
    for name in ("texture", "equal"):
        after = filled(name, texture=0.15)[INSIDE]
        assert after.mean().item() == pytest.approx(before.mean().item(), abs=0.01)
        added = after - before if name == "texture" else after
        assert added.std().item() == pytest.approx(0.15, rel=0.05)
    assert abs(torch.corrcoef(torch.stack([filled("equal")[INSIDE], before]))[0, 1]) < 0.1


def test_blur_takes_detail_and_leaves_the_mean():
    before, after = TISSUE[0][INSIDE], filled("blur")[INSIDE]
    assert after.std() < 0.5 * before.std()
    assert after.mean().item() == pytest.approx(before.mean().item(), abs=0.01)
    assert filled("blur", blur=1.5)[INSIDE].std() > after.std()


@pytest.mark.parametrize("matched", [0.0, 1.0])
def test_foreign_tissue_is_mixed_in_with_its_own_mean_or_that_of_its_place(matched):
    patch, before = (TISSUE.flip(1, 2) ** 2)[0][INSIDE], TISSUE[0][INSIDE]
    expected = patch + matched * (before.mean() - patch.mean())
    torch.testing.assert_close(filled("foreign", matched=matched)[INSIDE], expected)
    half = filled("foreign", matched=matched, share=0.5)[INSIDE]
    torch.testing.assert_close(half, (expected + before) / 2)


def test_swelling_moves_edges_away_from_the_centre_and_shrinking_towards_it():
    ball = (RADIAL < 12).float().clamp(0, 1) * 0.5 + 0.3
    wide = (1 - RADIAL / 24).clamp(min=0)
    volume = {name: (filled(name, ball, wide) > 0.55).sum() for name in ("swelling", "shrinking")}
    assert volume["shrinking"] < 0.8 * (ball > 0.55).sum()
    assert volume["swelling"] > 1.2 * (ball > 0.55).sum()


def test_deformation_takes_each_voxel_from_its_source():
    ramp = (OFFSETS[0] + 2 * OFFSETS[1] - OFFSETS[2]).contiguous()
    pull = torch.full_like(ramp, -0.25)
    torch.testing.assert_close(deform(ramp, OFFSETS, pull, MM), 0.75 * ramp, atol=1e-3, rtol=0)
    sideways = (torch.zeros(1), torch.full((1,), 1.0), torch.zeros(1))  # half a voxel
    moved = deform(NOISE, [part.view(1, 1, 1, 1) for part in sideways], torch.ones_like(NOISE), MM)[0]
    rows = NOISE[0].unfold(1, 4, 1)  # of four neighbours the value halfway between the middle ones
    torch.testing.assert_close(moved[:, 1:-2], rows @ torch.tensor([-1.0, 9.0, 9.0, -1.0]) / 16, atol=1e-4, rtol=0)


def test_box_smooth_is_scipys_gaussian():
    sigma = torch.tensor([[0.0, 1.0, 2.0], [2.5, 0.5, 0.1]])
    boxes = NOISE.repeat(2, 1, 1, 1)
    smooth = box_smooth(boxes, sigma, MM)
    for number in range(2):
        expected = ndimage.gaussian_filter(boxes[number].numpy(), sigma[number].tolist(), mode="nearest", radius=6)
        np.testing.assert_allclose(smooth[number].numpy(), expected, atol=2e-6)


def test_box_mean_is_weighted_and_zero_without_weights():
    weight = torch.rand(1, SIDE, SIDE, SIDE)
    expected = np.average(TISSUE.numpy(), weights=weight.numpy())
    assert box_mean(TISSUE, weight).item() == pytest.approx(expected, rel=1e-5)
    assert box_mean(TISSUE, 0 * weight).item() == 0


def test_texture_has_unit_variance_at_any_correlation_length():
    sigma = torch.tensor([[0.0] * 3, [1.0] * 3, [2.5] * 3])
    texture = unit_texture(NOISE.repeat(3, 1, 1, 1), sigma, MM)
    torch.testing.assert_close(texture.flatten(1).std(1), torch.ones(3), rtol=1e-3, atol=0)
    assert texture.flatten(1).mean(1).abs().max() < 1e-5
    step = texture.diff(dim=1).square().mean((1, 2, 3))
    assert step[0] > 2 * step[1] > 4 * step[2]


def test_an_index_takes_one_box_from_each_volume():
    volumes = torch.rand(2, 9, 8, 7)
    boxes = volumes[box_index(torch.tensor([[1, 2, 3], [4, 0, 2]]), [3, 4, 2])]
    assert torch.equal(boxes[0], volumes[0, 1:4, 2:6, 3:5])
    assert torch.equal(boxes[1], volumes[1, 4:7, 0:4, 2:4])
