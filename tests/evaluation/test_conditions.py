# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from monai.bundle import ConfigParser

from scripts.corruptions import VolumeCorruption, thick_slices
from scripts.evaluation import KINDS, SEVERITIES, make_conditions
from scripts.evaluation.kinds import BACKGROUNDS, SCAN_DAMAGE, SLICE_DAMAGE
from scripts.recipes.recipe import build, find_recipe, merged_config

LINES = ["random_lines", "equispaced_lines"]


def keys(count, first=0):
    return {"subject": torch.full((count,), 7), "slice": torch.arange(first, first + count), "epoch": 0}


def subjects(count, first=0):
    return {"subject": torch.arange(first, first + count), "epoch": 0}


def head(count, *shape):
    """Bright in the middle, with detail, air around."""
    images = torch.zeros(count, 1, *shape)
    inside = (slice(None), slice(None), *(slice(size // 6, -(size // 6)) for size in shape))
    images[inside] = 0.5 + 0.5 * torch.rand(images[inside].shape, generator=torch.Generator().manual_seed(0))
    return images


def test_every_kind_at_every_severity_but_clean_once():
    conditions = make_conditions(severities=[1, 2, 3, 4, 5])
    assert len(conditions) == 5 * len(SEVERITIES) + len(BACKGROUNDS) + 1
    assert {condition.kind for condition in conditions} == set(KINDS)
    assert [c.name for c in conditions if c.kind in ("holes", "clean")] == [
        *(f"holes {s}" for s in range(1, 6)),
        "clean",
    ]


def test_mixed_3_is_the_damage_of_the_training(root):
    images = torch.rand(40, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    parser = ConfigParser()
    parser.read_config(str(root / "configs" / "train.yaml"))
    parser.update({"corruption#untouched_prob": 0.0, "corruption#keep_zero_prob": 0.0, "seed": 5})
    training = parser.get_parsed_content("corruption")
    (mixed,) = make_conditions("mixed", 3, seed=5)
    assert torch.equal(mixed.corruption(images, keys(40)), training(images, keys(40)))


@pytest.mark.parametrize("kind", ["mixed", *SLICE_DAMAGE])
def test_damage_grows_with_severity_and_is_the_same_in_any_batch(kind):
    count = 60 if kind == "some_holes" else 6
    images = torch.rand(count, 1, 48, 40, generator=torch.Generator().manual_seed(0))
    errors = []
    for condition in make_conditions([kind], [1, 2, 3, 4, 5]):
        damaged = condition.corruption(images, keys(count))
        first, rest = keys(2), keys(count - 2, 2)
        apart = torch.cat([condition.corruption(images[:2], first), condition.corruption(images[2:], rest)])
        torch.testing.assert_close(damaged, apart, rtol=0, atol=1e-6 if kind == "gaussian_blur" else 0)
        errors.append((damaged - images).square().mean().item())
    assert errors == sorted(errors)
    assert errors[0] > 0


@pytest.mark.parametrize("kind", list(SCAN_DAMAGE))
def test_damage_of_the_scan_grows_with_severity_and_is_the_same_in_any_batch(kind):
    volumes = head(8, 24, 28, 20)
    errors = []
    for condition in make_conditions([kind], [1, 2, 3, 4, 5]):
        assert isinstance(condition.corruption, VolumeCorruption)
        damaged = condition.corruption(volumes, subjects(8))
        alone = condition.corruption(volumes[5:6], subjects(1, 5))
        torch.testing.assert_close(damaged[5:6], alone, rtol=0, atol=1e-6)  # FFTs round
        errors.append((damaged - volumes).square().mean().item())
    assert errors == sorted(errors)
    assert errors[0] > 0


@pytest.mark.parametrize("kind", list(BACKGROUNDS))
def test_a_head_without_a_part_is_its_own_target(kind):
    (condition,) = make_conditions([kind], [1, 3, 5])
    volumes = torch.rand(3, 1, 36, 40, 30) + 0.5
    damaged, target = condition.corruption.pair(volumes, subjects(3))
    assert torch.equal(damaged, target)
    assert (target == 0).flatten(1).any(1).all()
    assert torch.equal(target[target != 0], volumes[target != 0])
    assert condition.severity == 0


@pytest.mark.parametrize("kind", ["mixed", "holes", "gaussian_blur", "clean"])
def test_damage_of_volumes_is_that_of_their_slices(kind):
    volume = head(1, 48, 40, 9)
    (slices,), (whole,) = make_conditions([kind], [3]), make_conditions([kind], [3], volumes=True)
    expected = slices.corruption(volume[0].permute(3, 0, 1, 2), keys(9))[:, 0]
    damaged = whole.corruption(volume, subjects(1, 7))
    torch.testing.assert_close(damaged[0, 0].permute(2, 0, 1), expected, rtol=0, atol=1e-6)


def test_joined_kinds_happen_one_after_another():
    volumes = head(2, 36, 40, 12)
    (both,) = make_conditions(["motion+gaussian_noise+skull_stripped"], [2])
    (motion,), (noise,) = make_conditions(["motion"], [2]), make_conditions(["gaussian_noise"], [2], volumes=True)
    (stripped,) = make_conditions(["skull_stripped"])
    damaged, target = both.corruption.pair(volumes, subjects(2))
    expected = noise.corruption(motion.corruption(volumes, subjects(2)), subjects(2))
    kept = stripped.corruption(torch.ones_like(volumes) * (volumes > 0), subjects(2)) > 0
    torch.testing.assert_close(damaged, expected * kept, rtol=0, atol=1e-6)
    assert torch.equal(target, volumes * kept)
    assert (both.name, both.description.count(";")) == ("motion+gaussian_noise+skull_stripped 2", 2)


def test_parameters_are_those_of_the_table():
    images = torch.ones(40, 1, 64, 64)
    (noise,) = make_conditions("gaussian_noise", 3)
    assert (noise.corruption(images, keys(40)) - images).std().item() == pytest.approx(0.04, rel=0.02)
    (dropout,) = make_conditions(["pixel_dropout"], [5])
    assert (dropout.corruption(images, keys(40)) == 0).float().mean().item() == pytest.approx(0.16, rel=0.05)
    (holes,) = make_conditions(["holes"], [2])
    assert ((holes.corruption(images, keys(40)) == 0).flatten(1).sum(1) == 17 * 17).all()


def test_bias_field_is_a_mild_gain_in_the_middle_of_the_slice():
    images = torch.ones(100, 1, 60, 50)
    (bias,) = make_conditions("bias_field", 3)
    gain = bias.corruption(images, keys(100))
    assert gain.log().abs().max() == pytest.approx(0.6)
    assert 0.02 < gain[..., 15:45, 12:37].log().abs().mean() < 0.2


def test_clean_changes_nothing_and_mixed_leaves_most_pixels_with_noise_alone():
    images = torch.rand(50, 1, 48, 48, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.5
    clean, mixed = make_conditions(["clean", "mixed"], [3])
    assert (clean.corruption(images, keys(50)) == images).all()
    damaged = mixed.corruption(images, keys(50))
    untouched = ((damaged - images).abs() < 0.12).float().mean()
    assert 0.9 < untouched < 0.99  # the rest is lost to dropout and holes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kinds": ["gausian_noise"]}, "'gausian_noise' is unknown: did you mean gaussian_noise"),
        ({"kinds": ["motion+gosting"]}, "'gosting' is unknown: did you mean ghosting"),
        ({"kinds": ["xyz"]}, "choose from mixed, gaussian_noise"),
        ({"severities": [0]}, "whole number from 1 to 5, got 0"),
        ({"kinds": ["mixed"], "severities": [6]}, "whole number from 1 to 5, got 6"),
        ({"kinds": []}, "no damage to evaluate"),
    ],
)
def test_what_is_unknown_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_conditions(**arguments)


def test_conditions_of_ones_own_come_first():
    own = make_conditions(["holes"], [2])
    assert [c.name for c in make_conditions(["blur"], [1], further=own)] == ["holes 2", "blur 1"]
    assert make_conditions([], [1], further=own) == own


@pytest.mark.parametrize("recipe", ["recon_resnet", "shuffle_unet"])
def test_recipes_after_published_systems_are_evaluated_on_the_damage_that_they_train(recipe):
    config = merged_config(find_recipe(recipe))
    conditions = build(config, "evaluate#conditions")
    volume = head(1, 112, 112, 6)
    for condition in conditions:
        damaged = condition.corruption(volume, subjects(1))
        assert (damaged - volume).abs().max() > 0.05
        assert condition.corruption.seed == 0
        acquisition = condition.corruption.acquisition(volume, subjects(1))
        if acquisition is None:
            expected = thick_slices(volume.movedim(2, -1), torch.tensor([2.0]), torch.tensor([0.0]))
            other = thick_slices(volume.movedim(2, -1), torch.tensor([2.0]), torch.tensor([1.0]))
            turned = damaged.movedim(2, -1)
            assert torch.equal(turned, expected) or torch.equal(turned, other)
        else:
            assert acquisition.measured.sum() / 112 == pytest.approx(112 / 3.5, abs=1)
    assert [c.kind for c in conditions] == (["thick_axial"] if recipe == "shuffle_unet" else LINES)
