# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from scripts.repairs import blur_width, remove_blur
from scripts.repairs.inverse_blur import FIRST, SHARP, STEP
from tests.helpers.demo_heads import demo_slabs

GENERATOR = torch.Generator().manual_seed(0)


def sharp_volume() -> torch.Tensor:
    """Random slices that have the known spectrum."""
    white = torch.fft.rfft2(torch.randn(120, 112, 24, generator=GENERATOR, dtype=torch.float64), dim=(0, 1))
    frequency = torch.hypot(torch.fft.fftfreq(120)[:, None], torch.fft.rfftfreq(112)[None])
    power = np.exp(np.interp(frequency.numpy(), np.arange(len(SHARP)) * STEP + FIRST, SHARP))
    return torch.fft.irfft2(white * torch.from_numpy(power).sqrt()[..., None], s=(120, 112), dim=(0, 1)).float()


def blurred(volume: torch.Tensor, width: float, noise: float) -> torch.Tensor:
    frequency = torch.hypot(torch.fft.fftfreq(volume.shape[0])[:, None], torch.fft.rfftfreq(volume.shape[1])[None])
    transfer = torch.exp(-2 * (math.pi * width * frequency) ** 2)
    spectrum = torch.fft.rfft2(volume, dim=(0, 1)) * transfer[..., None]
    image = torch.fft.irfft2(spectrum, s=volume.shape[:2], dim=(0, 1))
    return image + noise * torch.randn(image.shape, generator=GENERATOR)


@pytest.mark.parametrize("width", [0.9, 1.0, 1.4])
@pytest.mark.parametrize(("noise", "better"), [(0.0, 20.0), (0.01, 4.0)])
def test_blur_is_measured_and_undone_as_far_as_noise_allows(width, noise, better):
    volume = sharp_volume()
    given = blurred(volume, width, noise)
    restored, found = remove_blur(given)
    assert found == pytest.approx(width, rel=0.06)
    errors = [float((one - volume).square().mean()) for one in (given, restored)]
    assert 10 * math.log10(errors[0] / errors[1]) > better / width**2


def test_what_is_sharp_or_only_smooth_stays():
    volume = sharp_volume()
    for one in (volume, volume + 0.5 * torch.randn(volume.shape, generator=GENERATOR), blurred(volume, 0.5, 0.0)):
        restored, width = remove_blur(one)
        assert width == 0
        assert restored is one
    for head in demo_slabs(2):
        assert blur_width(head[0])[0] == 0


def test_a_spectrum_that_was_cut_off_is_no_blur():
    spectrum = torch.fft.rfft2(sharp_volume(), dim=(0, 1))
    rows, columns = torch.fft.fftfreq(120).abs()[:, None], torch.fft.rfftfreq(112)[None]
    kept = (rows < 0.3) & (columns < 0.3)
    cut = torch.fft.irfft2(spectrum * kept[..., None], s=(120, 112), dim=(0, 1))
    assert blur_width(cut)[0] == 0


@pytest.mark.parametrize("volume", [torch.zeros(64, 64, 8), torch.ones(24, 24, 20), torch.rand(16, 16, 4)])
def test_empty_and_tiny_volumes_stay(volume):
    assert remove_blur(volume)[1] == 0
