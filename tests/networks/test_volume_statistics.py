# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from scripts.networks.volume_statistics import BANDS, ROUGH_BANDS, STATISTICS, volume_statistics

ALONG = BANDS + ROUGH_BANDS + 9


def head(seed: int = 0) -> torch.Tensor:
    volume = torch.zeros(1, 1, 32, 40, 24)
    volume[:, :, 6:26, 8:32, 4:20] = 0.6
    return volume + 0.01 * torch.rand(volume.shape, generator=torch.Generator().manual_seed(seed))


def test_there_are_as_many_as_promised_and_all_finite():
    for volume in (head(), torch.zeros(2, 1, 16, 16, 16), torch.rand(1, 1, 17, 33, 90)):
        found = volume_statistics(volume)
        assert found.shape == (len(volume), STATISTICS)
        assert found.isfinite().all()


def test_the_spectrum_is_that_of_a_wave():
    for axis in range(3):
        place = torch.arange(64.0).view([-1 if number == axis else 1 for number in range(3)])
        wave = 0.5 + 0.2 * torch.cos(torch.pi * 0.5 * place).expand(64, 64, 64)  # half of the highest frequency
        bands = volume_statistics(wave[None, None])[0, axis * ALONG : axis * ALONG + BANDS]
        assert int(bands[3:].argmax()) + 3 in (BANDS // 2 - 1, BANDS // 2)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_lone_zeros_are_counted_along_each_axis(axis):
    sound, damaged = head(), head()
    damaged[:, :, 10, 12, 8] = 0
    number = axis * ALONG + BANDS + ROUGH_BANDS + 7
    assert volume_statistics(damaged)[0, number] > volume_statistics(sound)[0, number] + 1


def test_noise_is_seen_in_air_and_tissue():
    clean = head()
    noisy = (clean + 0.05 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))).clamp(min=0)
    inside, outside = BANDS + ROUGH_BANDS, BANDS + ROUGH_BANDS + 1
    change = (volume_statistics(noisy) - volume_statistics(clean))[0]
    assert change[inside] > 0.5
    assert change[outside] > 0.5


def test_a_volume_does_not_depend_on_its_batch():
    volumes = torch.cat([head(1), head(2), torch.rand(1, 1, 32, 40, 24)])
    together = volume_statistics(volumes)
    apart = torch.cat([volume_statistics(volume[None]) for volume in volumes])
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-4)
