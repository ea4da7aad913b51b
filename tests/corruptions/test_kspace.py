# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch

from scripts.corruptions import Draws, RandGhosting, RandSpikes, ghosting, gibbs_ringing, spikes
from scripts.corruptions.kspace import frequencies, weigh_kspace


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def keys(count: int) -> dict:
    return {"subject": torch.arange(count), "slice": torch.arange(count), "epoch": 0}


@pytest.mark.parametrize("size", [8, 9])
def test_frequencies_count_cycles_from_the_middle_outwards(size):
    assert frequencies(size).tolist() == [round(size * f) for f in np.fft.fftfreq(size)]


@pytest.mark.parametrize("shape", [(2, 3, 12, 17), (2, 1, 15, 8, 5)], ids=["stack", "volume"])
def test_symmetric_weights_take_the_short_way_to_the_same_image(shape):
    weights = images(2, *shape[2:4])
    weights = (weights + weights.flip(1, 2).roll((1, 1), (1, 2))) / 2  # w(-k) = w(k)
    torch.testing.assert_close(
        weigh_kspace(images(*shape), weights, symmetric=True), weigh_kspace(images(*shape), weights)
    )


@pytest.mark.parametrize("shape", [(2, 1, 32, 40), (2, 1, 32, 40, 3)], ids=["slice", "volume"])
@pytest.mark.parametrize("axis", [0, 1], ids=["rows", "columns"])
def test_ghost_of_a_point_lies_half_the_field_of_view_away(shape, axis):
    point = torch.zeros(shape, dtype=torch.float64)
    point[:, :, 5, 7] = 1.0
    scale = torch.tensor([0.4, 0.7], dtype=torch.float64)
    ghost = ghosting(point, scale, torch.tensor([axis, axis]), torch.zeros(2))
    expected = torch.zeros_like(point)
    for number, a in enumerate(scale):
        expected[number, :, 5, 7] = (1 + a) / 2
        expected[number, :, (5 + 16 * (axis == 0)), (7 + 20 * (axis == 1)) % 40] = (1 - a) / 2
    torch.testing.assert_close(ghost, expected)


@pytest.mark.parametrize("size", [24, 25])
def test_ghosting_scales_odd_lines_but_not_the_central_ones_and_keeps_the_mean(size):
    image = images(1, 1, size, 20) + 20  # the magnitude of what stays positive
    ghost = ghosting(image, torch.tensor([0.5]), torch.tensor([0]), torch.tensor([0.25]))
    ratio = (torch.fft.fft2(ghost) / torch.fft.fft2(image)).real[0, 0]
    frequency = frequencies(size).abs()
    scaled = (frequency % 2 == 1) & (frequency > size / 8)
    assert scaled.any()
    torch.testing.assert_close(ratio, torch.where(scaled, 0.5, 1.0).double()[:, None].expand_as(ratio))
    torch.testing.assert_close(ghost.mean(), image.mean())


def test_drawn_ghosts_stay_in_their_range_and_take_both_axes():
    point = torch.zeros(200, 1, 16, 16)
    point[:, :, 0, 0] = 1.0
    ghost = RandGhosting(scale=[0.4, 0.7], centre=0.0)(point, Draws(0, keys(200)))
    scale = 2 * ghost[:, 0, 0, 0] - 1
    assert (scale.min() > 0.399) & (scale.min() < 0.42) & (scale.max() > 0.68) & (scale.max() < 0.701)
    assert 70 < (ghost[:, 0, 8, 0] > 0.1).sum() < 130
    assert ((ghost[:, 0, 8, 0] > 0.1) ^ (ghost[:, 0, 0, 8] > 0.1)).all()


@pytest.mark.parametrize("shape", [(1, 1, 16, 21), (1, 1, 16, 21, 6)], ids=["slice", "volume"])
def test_a_spike_is_one_point_of_kspace_without_its_partner(shape):
    image = images(*shape)
    dims = tuple(range(2, len(shape)))
    spectrum = torch.fft.fftn(image, dim=dims)
    where = (0, 0, 3, -5, 2)[: len(shape)]
    spectrum[where] += 0.3 * spectrum[(0, 0, 0, 0, 0)[: len(shape)]] * np.exp(0.7j)
    expected = torch.fft.ifftn(spectrum, dim=dims).abs()
    frequency, amplitude = torch.tensor([[[3.0, -5.0, 2.0]]]), torch.tensor([[0.3]])
    striped = spikes(image, frequency, amplitude, torch.tensor([[0.7]]))
    torch.testing.assert_close(striped, expected, rtol=0, atol=1e-6)  # the wave is float32


def test_a_weak_spike_is_a_plane_wave_of_known_frequency_and_amplitude():
    striped = spikes(
        torch.full((1, 1, 32, 32), 0.5, dtype=torch.float64),
        torch.tensor([[[4.0, 9.0, 0.0]]]),
        torch.tensor([[0.01]]),
        torch.zeros(1, 1),
    )
    spectrum = torch.fft.fft2(striped)[0, 0].abs() / 32**2
    assert spectrum[4, 9].item() == pytest.approx(0.5 * 0.01 / 2, rel=1e-3)  # |1 + z| is 1 + Re z for a small z
    spectrum[0, 0] = spectrum[4, 9] = spectrum[-4, -9] = 0
    assert spectrum.max() < 2e-5


def test_a_spike_in_a_stack_is_that_of_a_volume():
    stack = images(2, 5, 12, 14)
    place, amplitude, phase = torch.randn(2, 3, 3).round(), torch.rand(2, 3), torch.rand(2, 3)
    volume = spikes(stack.movedim(1, -1)[:, None], place, amplitude, phase)
    torch.testing.assert_close(spikes(stack, place, amplitude, phase), volume[:, 0].movedim(-1, 1))


def test_drawn_spikes_are_few_and_keep_away_from_the_centre():
    flat = torch.ones(300, 1, 24, 30)
    striped = RandSpikes(amplitude=[1e-3, 1e-3], number=[1, 3], nearest=0.25)(flat, Draws(0, keys(300)))
    spectrum = torch.fft.fft2(striped)[:, 0].abs() / flat[0].numel()
    spectrum[:, 0, 0] = 0
    count = (spectrum > 2.5e-4).flatten(1).sum(1) / 2
    assert set(count.tolist()) >= {1.0, 2.0, 3.0}
    assert count.max() <= 3
    near = (frequencies(24).abs() < 3)[:, None] & (frequencies(30).abs() < 3)
    assert spectrum[:, near].max() < 1e-5


def test_ringing_overshoots_a_step_by_nine_per_cent():
    step = torch.zeros(1, 1, 4096, 4, dtype=torch.float64)
    step[:, :, 1024:3072] = 1.0
    rung = gibbs_ringing(step, torch.tensor([[1 / 32, 1.0]]))
    assert rung.max().item() == pytest.approx(1.0895, abs=3e-4)  # Wilbraham and Gibbs: 1/2 + Si(pi) / pi
    assert rung[0, 0, :400].max() < 0.02  # far from the step


def test_ringing_keeps_the_measured_box_exactly_and_nothing_else():
    image = images(1, 1, 40, 30, 3) + 20  # the magnitude of what stays positive
    spectrum = torch.fft.fft2(gibbs_ringing(image, torch.tensor([[0.6, 0.5]])), dim=(2, 3))
    box = (frequencies(40).abs() <= 12)[:, None] & (frequencies(30).abs() <= 7)
    torch.testing.assert_close(spectrum[:, :, box], torch.fft.fft2(image, dim=(2, 3))[:, :, box])
    assert spectrum[:, :, ~box].abs().max() < 1e-9
    assert box.sum() == 25 * 15


def test_nothing_cut_scaled_or_added_changes_nothing():
    image = images(2, 3, 18, 21)
    ones = torch.ones(2)
    torch.testing.assert_close(ghosting(image, ones, torch.tensor([0, 1]), 0 * ones), image)
    torch.testing.assert_close(gibbs_ringing(image, torch.ones(2, 2)), image)
    assert torch.equal(spikes(image, torch.ones(2, 1, 3), torch.zeros(2, 1), torch.zeros(2, 1)), image)
