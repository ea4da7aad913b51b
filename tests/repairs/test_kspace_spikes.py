# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from scripts.corruptions.kspace import spikes
from scripts.repairs import find_spikes, remove_spikes
from tests.helpers.demo_heads import demo_slabs


@pytest.fixture(scope="module")
def heads() -> torch.Tensor:
    return demo_slabs(2)


def damaged(heads: torch.Tensor, *waves: tuple[float, float, float]) -> torch.Tensor:
    """The first head with waves of given frequencies along rows, columns and slices; the second as it is."""
    frequency = torch.tensor([waves, waves], dtype=torch.float32)
    amplitude = torch.full((2, len(waves)), 0.35) * torch.tensor([[1.0], [0.0]])
    return spikes(heads, frequency, amplitude, torch.full((2, len(waves)), 0.7))


def test_places_are_found(heads):
    frequency, there = find_spikes(damaged(heads, (9, -13, 2)))
    assert there[0, :, 0].all()
    assert not there[1].any()
    places = frequency[0, :, 0]
    assert torch.equal(places[:, 0] * places[:, 1], torch.full((len(places),), -9.0 * 13))  # of it or its conjugate


@pytest.mark.parametrize("waves", [[(9, -13, 2)], [(9, -13, 2), (4, 14, 0)], [(9, -13, 2), (-12, -7, 1), (3, 15, 0)]])
def test_waves_are_taken_out(heads, waves):
    before = damaged(heads, *waves)
    after, share = remove_spikes(before)
    assert share.tolist() == [1.0, 0.0]
    assert torch.equal(after[1], before[1])
    inside = heads[0] > 0.3
    error, worse = ((image[0] - heads[0])[inside].square().mean() for image in (after, before))
    assert error < worse / 10
    assert after.min() >= 0


def test_sound_heads_are_left_alone(heads):
    after, share = remove_spikes(heads)
    assert after is heads
    assert not share.any()
