# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from scripts.corruptions import Draws, RandAnomalies
from scripts.corruptions.anomaly_contents import CONTENTS
from scripts.corruptions.anomaly_shapes import SHAPES

SHAPE = (48, 44, 40)


def draws(count: int, epoch: int = 0) -> Draws:
    return Draws(3, {"subject": torch.arange(count), "slice": torch.zeros(count, dtype=torch.int64), "epoch": epoch})


def heads(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Balls of grey tissue with a bright middle, noise, and a dark hollow, in the air; and where the tissue is."""
    grid = torch.meshgrid(*(torch.arange(size) - size / 2 + 0.5 for size in SHAPE), indexing="ij")
    radius = torch.stack(grid).square().sum(0).sqrt()
    noise = torch.randn(count, 1, *SHAPE, generator=torch.Generator().manual_seed(0))
    tissue = 0.55 + 0.2 * (radius < 12) - 0.5 * (radius < 4)
    return ((tissue + 0.02 * noise) * (radius < 18)).clamp(min=0), (radius < 18).expand(count, 1, *SHAPE)


@pytest.mark.parametrize("kinds", [{"contents": [c]} for c in CONTENTS] + [{"shapes": [s]} for s in SHAPES], ids=str)
def test_nothing_outside_of_the_mask_is_changed(kinds):
    images, brain = heads(3)
    step = RandAnomalies(number=[1, 2], prob=1.0, **kinds)
    changed, mask, severity = step.sample(images, draws(3), brain)
    outside = mask == 0
    assert torch.equal(changed[outside], images[outside])
    assert severity[outside].max() == 0
    assert not (mask > 0)[~brain].any()
    assert (changed != images).flatten(1).any(1).all()
    assert 0 < mask.max() <= 1
    assert 0 < severity.max() <= 1
    assert changed.min() >= 0


def test_a_head_gets_the_same_anomalies_in_any_batch():
    images, brain = heads(4)
    step = RandAnomalies([2, 3], prob=1.0)
    whole = step.sample(images, draws(4), brain)
    for rows in ([2], [3, 0]):
        some = step.sample(images[rows], draws(4)[torch.tensor(rows)], brain[rows])
        assert all(torch.equal(part, other[rows]) for part, other in zip(some, whole, strict=True))
    assert torch.equal(step.sample(images, draws(4))[0], step(images, draws(4)))
    assert not torch.equal(step(images, draws(4)), step(images, draws(4, epoch=1)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_the_type_of_the_images_is_kept(dtype):
    images = (1.1 * heads(2)[0].double()).to(dtype)
    changed, mask, _ = RandAnomalies(prob=1.0).sample(images, draws(2))
    assert changed.dtype == dtype
    assert torch.equal(changed[mask == 0], images[mask == 0])


def test_severity_grows_with_the_contrast_and_is_its_root_mean_square():
    images, brain = heads(4)
    found = []
    for contrast in (0.05, 0.1, 0.2, 0.3):
        step = RandAnomalies([1, 1], [16.0, 16.0], [contrast] * 2, [0, 0], ["ellipsoid"], ["shift"], prob=1.0)
        changed, mask, severity = step.sample(images, draws(4), brain)
        whole = torch.nn.functional.avg_pool3d((mask == 1).float(), 3, 1, 1) == 1
        shifted = (changed - images).abs() > 0.99 * contrast  # not where a dark one meets zero
        inner = whole & (torch.nn.functional.avg_pool3d(shifted.float(), 3, 1, 1) == 1)
        torch.testing.assert_close(severity[inner], torch.full((int(inner.sum()),), contrast / 0.4))
        found.append(severity.mean())
    assert found == sorted(found)
    assert found[-1] > 2 * found[0]


def test_contrast_lies_in_its_range_with_both_signs():
    images, brain = heads(60)
    step = RandAnomalies([1, 1], [10.0, 20.0], [0.1, 0.3], [0, 0], ["ellipsoid"], ["shift"], prob=1.0)
    changed, mask, _ = step.sample(images, draws(60), brain & (images > 0.4))
    contrast = torch.stack([(c - i)[m == 1].mean() for c, i, m in zip(changed, images, mask, strict=True)])
    assert 0.09 < contrast.abs().min() < 0.12
    assert 0.25 < contrast.abs().max() < 0.31
    assert 0.25 < (contrast > 0).float().mean() < 0.75


@pytest.mark.parametrize("spacing", [2.0, 1.0])
def test_diameters_are_those_asked_for_in_millimetres(spacing):
    images, _ = heads(40)
    step = RandAnomalies([1, 1], [9.0, 18.0], [0.2, 0.2], [0, 0], ["ellipsoid"], ["shift"], spacing, prob=1.0)
    volume = (step.sample(images, draws(40))[1] > 0.5).flatten(1).sum(1) * spacing**3
    longest = (6 * volume / torch.pi) ** (1 / 3)
    assert longest.max() <= 18.5
    assert longest.min() >= 9 * 0.6 - 0.5
    assert longest.max() > 13


def test_numbers_and_share_of_heads_are_those_asked_for():
    step = RandAnomalies(number=[2, 4], prob=0.7)
    there = step._there(draws(3000)).sum(1).bincount(minlength=5).float() / 3000
    assert there[1] == 0
    assert there[0].item() == pytest.approx(0.3, abs=0.03)
    assert there[2:].sub(0.7 / 3).abs().max() < 0.03


def test_all_shapes_and_contents_are_drawn_and_displacements_are_ellipsoids():
    shape, content = RandAnomalies()._kinds(draws(1500))
    assert set(shape.flatten().tolist()) == set(range(len(SHAPES)))
    assert content.flatten().bincount().sub(6000 / len(CONTENTS)).abs().max() < 150
    assert set(shape[content >= CONTENTS.index("swelling")].tolist()) == {SHAPES.index("ellipsoid")}


def test_flat_anomalies_lie_beside_the_strongest_deep_edge():
    images, brain = heads(12)
    step = RandAnomalies([1, 1], [12.0, 12.0], [0.2, 0.2], [0, 0], ["flat"], ["shift"], prob=1.0)
    mask = step.sample(images, draws(12), brain)[1] > 0.5
    grid = torch.meshgrid(*(torch.arange(size) - size / 2 + 0.5 for size in SHAPE), indexing="ij")
    radius = torch.stack(grid).square().sum(0).sqrt()
    mean = torch.stack([radius[m[0]].mean() for m in mask])
    assert (mean < 11).float().mean() > 0.7  # around the hollow, not at the surface
    for m in mask:
        places = m[0].nonzero().float()
        spread = torch.linalg.eigvalsh(torch.cov(places.T)).clamp(min=0.05).sqrt()
        assert spread[2] > 1.5 * spread[0]


def test_foreign_tissue_comes_from_the_donors_at_the_same_place():
    images, brain = heads(3)
    donors = torch.full_like(images, 5.0)
    step = RandAnomalies([1, 1], [14.0, 14.0], contents=["foreign"], shapes=["ellipsoid"], prob=1.0)
    changed = step.sample(images, draws(20)[torch.arange(3)], brain, donors)[0]
    assert changed.max() > 1.5  # not matched in the mean
    assert step.sample(images, draws(3), brain)[0].max() < 1.2
    torch.testing.assert_close(step.sample(images, draws(3), brain, images)[0], images)


def test_no_cluster_is_empty():
    images, brain = heads(60)
    step = RandAnomalies(
        [1, 1], [3.0, 3.0], softness=[0, 0], shapes=["cluster"], contents=["shift"], spacing_mm=8.0, prob=1.0
    )
    assert step.sample(images, draws(60), brain)[1].flatten(1).amax(1).min() > 0.85


def test_nothing_waits_for_the_host():
    """Tensors without data refuse to tell a value, and to meet tensors of another device."""
    images, brain = (part.to("meta") for part in heads(2))
    keys = {"subject": torch.zeros(2, dtype=torch.int64, device="meta"), "slice": 0, "epoch": 0}
    parts = RandAnomalies().sample(images, Draws(0, keys), brain, images)
    assert all(part.device.type == "meta" and part.shape == images.shape for part in parts)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"shapes must be some of blob, .*, got \['cube'\]"):
        RandAnomalies(shapes=["cube"])
    with pytest.raises(ValueError, match=r"contents must be some of shift, .*, got \[\]"):
        RandAnomalies(contents=[])
    with pytest.raises(ValueError, match=r"contrast must be \[low, high\] within \[0.001, 1.0\], got \[0.0, 0.5\]"):
        RandAnomalies(contrast=[0.0, 0.5])
