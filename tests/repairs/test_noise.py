# SPDX-License-Identifier: Apache-2.0
"""Noise is measured in the air and removed without a shift of the mean; what is no such noise is left alone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage, stats
from scipy.fft import dctn

from scripts.metrics.restoration import peak_signal_to_noise_ratio
from scripts.repairs import noise, noise_std, remove_noise
from tests.helpers.phantom import brain, inside
from tests.helpers.phantom import head as phantom


def rician(volume: np.ndarray, std: float, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    real, imaginary = rng.normal(0, std, (2, *volume.shape))
    return torch.from_numpy(np.hypot(volume + real, imaginary)).float()


@pytest.fixture(scope="module")
def head() -> np.ndarray:
    volume = np.where(inside(), phantom(), 0).astype(np.float64)
    return volume / np.percentile(volume, 99.5)


@pytest.mark.parametrize("std", [0.01, 0.04, 0.1])
def test_the_air_tells_how_strong_the_noise_is(head, std):
    assert noise_std(rician(head, std)) == pytest.approx(std, rel=0.03)


def test_what_noise_did_not_make_tells_nothing(head):
    noisy = rician(head, 0.04).numpy()
    gaussian = np.clip(head + np.random.default_rng(0).normal(0, 0.04, head.shape), 0, None)
    others = {
        "none": head,
        "set to zero": np.where(inside(), noisy, 0),
        "brain alone": np.where(brain(), noisy, 0),
        "interpolated": ndimage.shift(noisy, 0.5, order=1),
        "of another kind": gaussian,
        "on an offset": noisy + 0.1,
    }
    assert [name for name, volume in others.items() if noise_std(torch.from_numpy(volume).float())] == []


def test_the_transform_is_the_cosine_transform_of_all_blocks(head):
    volume = torch.from_numpy(head[30:40, 30:39, 20:31]).float()
    blocks = noise._blocks(volume[:4])
    assert blocks.shape == (64, 1, 6, 8)
    for i, j in itertools.product((0, 3, 5), (0, 4, 7)):
        expected = dctn(volume[:4, i : i + 4, j : j + 4].numpy(), norm="ortho").ravel()
        np.testing.assert_allclose(noise._cosines() @ blocks[:, 0, i, j], expected, atol=1e-5)


@pytest.mark.parametrize("size", [(9, 5, 7), (24, 31, 20)])
def test_the_steps_of_an_export_are_those_of_the_filter(head, size):
    std, start = 0.04, (head.shape[0] // 2, head.shape[1] // 2, 4)  # from air into the head
    volume = rician(head, std)[tuple(slice(s, s + n) for s, n in zip(start, size, strict=True))]
    rough = noise.thresholded(volume / std)
    torch.testing.assert_close(rough * std, noise._filtered(volume, std), atol=1e-4 * std, rtol=0)
    done = noise.averaged(volume / std, noise.weighted(volume / std, rough))
    torch.testing.assert_close(done * std, remove_noise(volume, std), atol=2e-3 * std, rtol=0)


def test_no_coefficient_is_kept_or_left_out_by_rounding():
    values = torch.tensor([-2.46, -2.4, 0.0, 2.34, 2.4, 2.46]) * 0.1
    torch.testing.assert_close(noise._kept(values, 0.1), torch.tensor([1, 0.5, 0, 0, 0.5, 1]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("signal", [0.0, 1.0, 2.5, 8.0, 33.0])
def test_the_mean_is_that_of_rices_distribution(signal):
    mean = torch.tensor([0.1 * stats.rice.mean(signal)])
    assert float(noise._unbiased(mean, 0.1)) == pytest.approx(0.1 * signal, abs=2e-4)


@pytest.mark.parametrize(("std", "gain"), [(0.015, 1.8), (0.04, 4.5), (0.1, 6.0)])
def test_a_head_is_nearer_to_what_it_was(head, std, gain):
    before = rician(head, std)
    after = remove_noise(before, std)
    clean, where = torch.from_numpy(head).float(), torch.from_numpy(inside())
    decibels = [peak_signal_to_noise_ratio(float((one - clean)[where].square().mean())) for one in (before, after)]
    assert decibels[1] > decibels[0] + gain
    assert after.min() >= 0


def test_a_constant_signal_keeps_its_mean():
    clean = np.full((40, 40, 40), 0.2)
    assert float(remove_noise(rician(clean, 0.1), 0.1).mean()) == pytest.approx(0.2, abs=0.006)
    assert float(rician(clean, 0.1).mean()) > 0.22


@pytest.mark.parametrize(("radius", "least"), [(1.5, 0.95), (3.0, 0.97), (5.0, 0.98)])
def test_a_lesion_keeps_its_contrast(head, radius, least):
    places = np.stack(np.meshgrid(*map(np.arange, head.shape), indexing="ij"), -1)
    lesion = np.linalg.norm(places - np.array(head.shape) / 2, axis=-1) <= radius
    std = 0.03
    shown = [remove_noise(rician(head + 0.3 * there, std), std).numpy() for there in (0 * lesion, lesion)]
    assert (shown[1] - shown[0])[lesion].mean() > least * 0.3


def test_like_voxels_are_averaged_as_the_formula_says():
    rng = np.random.default_rng(0)
    volume, guide = (torch.from_numpy(rng.uniform(0.5, 1, (6, 5, 7))).float() for _ in "ab")
    means = F.avg_pool3d(guide[None, None], 3, 1, 1, count_include_pad=False)[0, 0]
    found, place = noise._of_like_voxels(volume, guide, 0.2), (3, 1, 4)
    total = weights = 0.0
    for other in itertools.product(
        *(range(max(0, p - 2), min(n, p + 3)) for p, n in zip(place, (6, 5, 7), strict=True))
    ):
        apart = (guide[place] - guide[other]) ** 2 + 3 * (means[place] - means[other]) ** 2
        weight = float(torch.exp(-apart / (4 * (0.7 * 0.2) ** 2)))
        total, weights = total + weight * float(volume[other]) ** 2, weights + weight
    assert float(found[place]) == pytest.approx((total / weights - 2 * 0.2**2) ** 0.5, rel=1e-5)
