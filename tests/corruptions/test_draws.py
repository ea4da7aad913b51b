# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from scipy import stats

from scripts.corruptions.draws import Draws, mix32


def keys(count: int, epoch: int = 1) -> dict:
    return {"subject": torch.arange(count) // 3, "slice": torch.arange(count) % 3, "epoch": epoch}


def test_mix32_is_a_bijection_on_a_sample_and_stays_within_32_bits():
    values = torch.cat([torch.arange(100_000), 2**32 - 1 - torch.arange(100_000)])
    mixed = mix32(values)
    assert len(mixed.unique()) == len(values)
    assert mixed.min() >= 0
    assert mixed.max() < 2**32


def test_uniform_field_is_uniform_and_images_are_independent():
    field = Draws(0, keys(4)).uniform_field("a", (1, 50, 60)).flatten(1)
    # p-values of a fixed seed: a good generator fails this once in a thousand seeds
    assert all(stats.kstest(row.numpy(), "uniform").pvalue > 1e-3 for row in field)
    assert torch.corrcoef(field).fill_diagonal_(0).abs().max() < 0.07  # 4 sigma of 1 / sqrt(3000)


def test_normal_field_is_normal_even_for_an_odd_number_of_voxels():
    field = Draws(0, keys(2)).normal_field("a", (1, 51, 61)).flatten(1)
    assert all(stats.kstest(row.numpy(), "norm").pvalue > 1e-3 for row in field)
    assert torch.isfinite(field).all()


def test_integers_reach_both_ends_and_never_the_upper_bound():
    draws = Draws(0, keys(3000)).integers("n", 10, 14)
    assert sorted(draws.unique().tolist()) == [10, 11, 12, 13]


@pytest.mark.parametrize("change", ["seed", "subject", "slice", "epoch", "name"])
def test_every_part_of_the_key_changes_the_numbers(change):
    base = Draws(0, keys(5)).uniform_field("a", (8,))
    other_keys = keys(5)
    if change in other_keys:
        other_keys[change] = other_keys[change] + 100
    other = Draws(int(change == "seed"), other_keys).uniform_field("b" if change == "name" else "a", (8,))
    assert (base != other).float().mean() > 0.99


def test_missing_key_and_shape_are_named():
    with pytest.raises(ValueError, match="add epoch"):
        Draws(0, {"subject": torch.zeros(2), "slice": torch.zeros(2)})
    with pytest.raises(ValueError, match=r"slice must have the shape of subject, \(2,\), got \(3,\)"):
        Draws(0, {"subject": torch.zeros(2), "slice": torch.zeros(3), "epoch": 0})
