# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from scripts.repairs import fill_erased, find_erased, repair
from tests.helpers.demo_heads import demo_heads


@pytest.fixture(scope="module")
def head() -> torch.Tensor:
    return demo_heads(1)[0, 0]


def test_sound_and_stripped_heads_have_nothing_erased(head):
    assert not find_erased(head).any()
    place = torch.stack(torch.meshgrid(*[torch.linspace(-1, 1, n) for n in head.shape], indexing="ij"))
    assert not find_erased(head.masked_fill(place.square().sum(dim=0) > 0.4, 0.0)).any()


def test_dropped_voxels_are_found_and_filled(head):
    lost = torch.rand(head.shape, generator=torch.Generator().manual_seed(0)) < 0.05
    damaged = head.masked_fill(lost, 0.0)
    found = find_erased(damaged)
    inside = lost & (head > 0.2)
    assert not (found & ~lost & (head != 0)).any()
    assert (found & inside).sum() > 0.8 * inside.sum()
    filled, mask = fill_erased(damaged[None, None])
    assert torch.equal(mask[0, 0], found)
    error, before = ((one - head).square()[inside].mean() for one in (filled[0, 0], damaged))
    assert error < 0.15 * before


def test_the_air_around_a_head_does_not_hide_what_it_lost(head):
    tissue = (head > 0.3).nonzero()
    chosen = torch.randperm(len(tissue), generator=torch.Generator().manual_seed(0))
    lost = tissue[chosen[: int(2e-3 * torch.count_nonzero(head))]]
    damaged = head.clone()
    damaged[tuple(lost.T)] = 0
    wide = F.pad(damaged, (30,) * 6)
    assert len(lost) < 1e-3 * wide.numel()
    assert find_erased(wide)[tuple(lost.T + 30)].float().mean() > 0.8


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_hole_in_one_slice_is_found_along_any_axis(head, axis):
    size = head.shape[axis] // 2
    damaged = head.clone()
    place = [slice(n // 2 - 6, n // 2 + 6) for n in head.shape]
    place[axis] = slice(size, size + 1)
    damaged[tuple(place)] = 0
    hole = (damaged == 0) & (head > 0.2)
    found = find_erased(damaged)
    assert (found & hole).sum() > 0.9 * hole.sum()
    assert not (found & (damaged != 0)).any()


def test_a_lone_zero_is_no_damage(head):
    damaged = head.clone()
    damaged[tuple(n // 2 for n in head.shape)] = 0
    assert not find_erased(damaged).any()


def test_repair_tells_what_was_done(head):
    sound = repair(head[None, None])
    assert sound.done() == []
    assert torch.equal(sound.volumes[0, 0], head)
    lost = torch.rand(head.shape, generator=torch.Generator().manual_seed(0)) < 0.05
    assert repair(head.masked_fill(lost, 0.0)[None, None]).done() == ["erased voxels"]
