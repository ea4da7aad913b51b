# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest
import torch

from scripts.corruptions.kspace import ghosting
from scripts.repairs import equalise_lines, line_gains
from tests.helpers.demo_heads import demo_slabs


@pytest.fixture(scope="module")
def heads() -> torch.Tensor:
    return demo_slabs(2)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("scale", [0.3, 0.6, 0.85])
def test_the_gain_of_alternate_lines_is_measured_and_undone(heads, axis, scale):
    ghosts = ghosting(heads, torch.tensor([scale, 1.0]), torch.tensor([axis, axis]), torch.zeros(2))
    gains = line_gains(ghosts)
    assert gains[0, axis] == pytest.approx(math.log(scale), abs=0.05)
    assert gains[1].abs().max() < 0.06
    equal, undone = equalise_lines(ghosts)
    assert undone[0] == gains[0, axis]
    assert torch.equal(equal[1], ghosts[1])  # bit for bit
    error, before = ((image[0] - heads[0]).square().mean() for image in (equal, ghosts))
    assert error < before / 10


def test_lines_about_the_centre_that_had_the_right_gain_keep_it(heads):
    ghosts = ghosting(heads[:1], torch.tensor([0.5]), torch.tensor([0]), torch.tensor([0.06]))
    equal, _ = equalise_lines(ghosts)
    assert (equal - heads[:1]).square().mean() < (ghosts - heads[:1]).square().mean() / 3


def test_sound_heads_are_left_alone(heads):
    equal, undone = equalise_lines(heads)
    assert equal is heads
    assert not undone.any()
