# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from scripts.corruptions import Draws
from scripts.engines import RandVariants
from tests.helpers.demo_heads import demo_heads

NONE = {"flip_prob": 0.0, "gamma": (1.0, 1.0), "interpolation_prob": 0.0}


@pytest.fixture(scope="module")
def heads() -> torch.Tensor:
    return demo_heads(3)


def draws(number: int = 3, epoch: int = 0) -> Draws:
    return Draws(0, {"subject": torch.arange(number), "slice": torch.zeros(number, dtype=torch.long), "epoch": epoch})


def test_nothing_is_varied_by_default_of_zero(heads):
    images, brain = RandVariants(**NONE)(heads, heads > 0.5, draws())
    assert torch.equal(images, heads)
    assert torch.equal(brain, heads > 0.5)


def test_heads_and_brains_are_mirrored_together(heads):
    images, brain = RandVariants(**{**NONE, "flip_prob": 1.0})(heads, heads > 0.5, draws())
    assert torch.equal(images, heads.flip(-1))
    assert torch.equal(brain, (heads > 0.5).flip(-1))


def test_gamma_keeps_order_zero_and_one(heads):
    images, _ = RandVariants(**{**NONE, "gamma": (2.0, 2.0)})(heads, None, draws())
    torch.testing.assert_close(images, heads**2)


def test_interpolation_is_linear_and_within_half_a_voxel(heads):
    ramp = torch.arange(10.0).expand(3, 1, 8, 8, 10)
    images, _ = RandVariants(**{**NONE, "interpolation_prob": 1.0})(ramp, None, draws())
    shift = (ramp - images)[..., 1:]
    assert shift.min() > 0
    assert shift.max() < 0.5
    torch.testing.assert_close(shift, shift[:, :, :1, :1, :1].expand_as(shift), atol=1e-5, rtol=0)


def test_turned_heads_keep_their_brains(heads):
    large = demo_heads(2)
    brain = (large > 0.5) & (large < 0.7)
    images, turned = RandVariants(**{**NONE, "turn_prob": 1.0, "zoom": (1.0, 1.0)})(large, brain, draws(2))
    assert not torch.equal(turned, brain)
    inside = images[turned]
    assert inside.mean() == pytest.approx(float(large[brain].mean()), abs=0.05)
    assert turned.sum() == pytest.approx(int(brain.sum()), rel=0.25)


def test_another_contrast_is_a_function_of_the_intensity(heads):
    images, _ = RandVariants(**{**NONE, "curve_prob": 1.0})(heads, None, draws())
    for image, head in zip(images, heads, strict=True):
        order = head.flatten().argsort()
        steps = image.flatten()[order].diff().abs() / head.flatten()[order].diff().clamp(min=1e-6)
        assert steps.max() < 200  # continuous: no jump
        assert not torch.equal(image, head)
    assert images.max() <= 1


def test_draws_do_not_depend_on_the_batch(heads):
    varied = RandVariants(curve_prob=0.5, turn_prob=0.5, interpolation_prob=0.5)
    together, _ = varied(heads, None, draws(epoch=4))
    alone, _ = varied(heads[1:2], None, draws(epoch=4)[torch.tensor([1])])
    torch.testing.assert_close(together[1:2], alone)
