# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from monai.bundle import ConfigParser

from scripts.evaluation import KINDS, SEVERITIES, make_conditions


def keys(count, first=0):
    return {"subject": torch.full((count,), 7), "slice": torch.arange(first, first + count), "epoch": 0}


def test_every_kind_at_every_severity_but_clean_once():
    conditions = make_conditions(severities=[1, 2, 3, 4, 5])
    assert len(conditions) == 5 * len(SEVERITIES) + 1
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


@pytest.mark.parametrize("kind", list(SEVERITIES))
def test_damage_grows_with_severity_and_is_the_same_in_any_batch(kind):
    images = torch.rand(6, 1, 48, 40, generator=torch.Generator().manual_seed(0))
    errors = []
    for condition in make_conditions([kind], [1, 2, 3, 4, 5]):
        damaged = condition.corruption(images, keys(6))
        apart = torch.cat([condition.corruption(images[:2], keys(2)), condition.corruption(images[2:], keys(4, 2))])
        torch.testing.assert_close(damaged, apart, rtol=0, atol=0)
        errors.append((damaged - images).square().mean().item())
    assert errors == sorted(errors)
    assert errors[0] > 0


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
        ({"kinds": ["xyz"]}, "choose from mixed, gaussian_noise"),
        ({"severities": [0]}, "whole number from 1 to 5, got 0"),
        ({"kinds": ["mixed"], "severities": [6]}, "whole number from 1 to 5, got 6"),
        ({"kinds": []}, "no damage to evaluate"),
    ],
)
def test_what_is_unknown_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_conditions(**arguments)
