# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from scripts import corruptions
from scripts.anatomy.damage_kinds import KINDS
from scripts.corruptions import EachSlice, RandBiasField, RandPixelDropout, RandRicianNoise, VolumeCorruption
from scripts.corruptions.levels import KIND_OF_STEP, graded_pair, kinds_of, level_of

KEYS = {"subject": torch.arange(3), "slice": torch.zeros(3, dtype=torch.long), "epoch": 0}
HEADS = 0.2 + 0.8 * torch.rand(3, 1, 24, 24, 12, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("std", "level"), [(0.015, 0.40), (0.04, 0.65), (0.08, 0.83)])
def test_levels_of_noise_are_those_that_are_documented(std, level):
    noise = VolumeCorruption([RandRicianNoise(std=[std, std])])
    damaged, clean, levels = graded_pair(noise, HEADS, KEYS)
    assert torch.equal(clean, HEADS)
    assert levels[:, KINDS.index("noise")].tolist() == pytest.approx([level] * 3, abs=0.03)
    assert levels.sum() == levels[:, KINDS.index("noise")].sum()
    assert torch.equal(damaged, noise.pair(HEADS, KEYS)[0])


def test_a_level_is_a_logarithm_within_bounds():
    levels = level_of(torch.tensor([0.0, 10**-5.0, 10**-3.3, 1.0]))
    assert levels.tolist() == pytest.approx([0, 0, 0.5, 1], abs=1e-3)


def test_only_chosen_steps_have_a_level():
    steps = [RandRicianNoise(std=[0.04, 0.04]), RandBiasField(strength=[0.3, 0.3])]
    _, _, levels = graded_pair(VolumeCorruption(steps, numbers=[1]), HEADS.repeat(4, 1, 1, 1, 1), {
        "subject": torch.arange(12), "slice": torch.zeros(12, dtype=torch.long), "epoch": 0
    })  # fmt: skip
    noise, bias = levels[:, KINDS.index("noise")] > 0, levels[:, KINDS.index("bias")] > 0
    assert (noise ^ bias).all()
    assert noise.any()
    assert bias.any()


def test_untouched_volumes_have_no_level():
    untouched = VolumeCorruption([RandRicianNoise(std=[0.04, 0.04])], untouched_prob=1.0)
    assert graded_pair(untouched, HEADS, KEYS)[2].sum() == 0


def test_a_step_of_several_ways_counts_for_each():
    step = EachSlice([RandPixelDropout(rate=[0.1, 0.1]), RandRicianNoise(std=[0.04, 0.04])])
    assert kinds_of(step) == {"dropout", "noise"}


def test_every_damage_of_the_volume_recipe_but_repaired_ones_has_a_kind():
    repaired, no_damage = {"RandGhosting", "RandSpikes"}, {"RandAnomalies", "RandDiagonalCutout"}
    background = {"RandDeface", "RandFieldOfView", "RandSkullStrip"}
    steps = {name for name in corruptions.__all__ if name.startswith("Rand")}
    assert steps - repaired - no_damage - background == set(KIND_OF_STEP)
    assert set(KIND_OF_STEP.values()) == set(KINDS)
