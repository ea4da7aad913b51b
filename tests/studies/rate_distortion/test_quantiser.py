# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest
import torch

from scripts.studies.rate_distortion.latent_codec import fit_quantiser


@pytest.fixture
def latents():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(50, 3, 7, 5, generator=generator) * torch.tensor([1.0, 10.0, 0.1]).view(3, 1, 1) + 2


def test_values_come_back_to_half_a_step_and_the_extremes_exactly(latents):
    quantiser = fit_quantiser(latents, 8)
    low, high = latents.amin((0, 2, 3)), latents.amax((0, 2, 3))
    step = (high - low) / 255
    torch.testing.assert_close(quantiser.step, step)
    symbols = quantiser.symbols(latents)
    assert (symbols.min(), symbols.max()) == (0, 255)
    error = (quantiser.values(symbols) - latents).abs().amax((0, 2, 3))
    assert (error <= 0.501 * step).all()
    outside = quantiser.values(quantiser.symbols(latents + 1000))
    torch.testing.assert_close(outside[0, :, 0, 0], high)


def test_the_length_is_near_the_entropy_of_what_was_fitted(latents):
    quantiser = fit_quantiser(latents, 4)
    symbols = quantiser.symbols(latents)
    entropy = 0.0
    for channel in range(3):
        shares = torch.bincount(symbols[:, channel].flatten(), minlength=16) / symbols[:, channel].numel()
        entropy -= symbols[:, channel].numel() * sum(p * math.log2(p) for p in shares.tolist() if p > 0)
    assert entropy < quantiser.bits(symbols) < 1.01 * entropy


def test_the_table_is_that_of_krichevsky_and_trofimov():
    latents = torch.tensor([0.0, 0.0, 0.0, 1.0]).view(4, 1)
    quantiser = fit_quantiser(latents, 1)
    expected = torch.tensor([[-math.log2(3.5 / 5), -math.log2(1.5 / 5)]])
    torch.testing.assert_close(quantiser.lengths, expected)
    assert quantiser.bits(torch.tensor([[1], [0]])) == pytest.approx(float(expected.sum()))
    assert (2.0**-quantiser.lengths).sum() == pytest.approx(1)  # lengths that a code can have


def test_a_channel_that_never_changes_costs_next_to_nothing():
    latents = torch.full((1000, 1, 4, 4), 3.0)
    quantiser = fit_quantiser(latents, 8)
    symbols = quantiser.symbols(latents)
    assert torch.equal(quantiser.values(symbols), latents)
    assert quantiser.bits(symbols) / latents.numel() < 0.02


def test_bits_of_a_value_are_checked(latents):
    with pytest.raises(ValueError, match="a value has 1 to 12 bits, got 0"):
        fit_quantiser(latents, 0)
