# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import median_filter
from skimage.restoration import denoise_nl_means

from scripts.baselines import NonLocalMeans, identity, median, noise_level


@pytest.fixture
def images():
    """Two discs on air, odd and not square."""
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, 41), torch.linspace(-1, 1, 37), indexing="ij")
    disc = ((rows**2 + columns**2) < 0.4).float()
    return torch.stack([disc, 0.5 * disc])[:, None]


def test_identity_gives_back_what_it_got(images):
    assert identity(images) is images


def test_median_agrees_with_scipy_up_to_the_border(images):
    noisy = images + 0.1 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    expected = np.stack([median_filter(image[0], 3, mode="nearest") for image in noisy.numpy()])[:, None]
    np.testing.assert_array_equal(median(noisy).numpy(), expected)


def test_median_removes_single_lost_pixels(images):
    damaged = images.clone()
    damaged[..., 20, 18] = 0
    torch.testing.assert_close(
        median(damaged)[..., 19:22, 17:20], torch.tensor([1.0, 0.5]).view(2, 1, 1, 1).expand(2, 1, 3, 3)
    )


@pytest.mark.parametrize("sigma", [0.01, 0.04])
def test_noise_level_finds_the_noise_beside_the_anatomy(sigma):
    generator = np.random.default_rng(0)
    image = np.zeros((121, 119))
    image[30:90, 30:90] = 0.5 + 0.2 * generator.random((60, 60))  # texture five times as strong as the noise
    assert noise_level(image + sigma * generator.standard_normal(image.shape)) == pytest.approx(sigma, rel=0.1)


def test_noise_level_of_a_flat_image_is_zero_and_holes_do_not_count():
    assert noise_level(np.zeros((8, 9))) == 0
    noisy = 0.05 * np.random.default_rng(0).standard_normal((120, 120))
    noisy[:60] = 0
    assert noise_level(noisy) == pytest.approx(0.05, rel=0.1)


def test_non_local_means_is_scikit_image_with_the_noise_found_and_removes_it(images):
    noisy = images + 0.05 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    restored = NonLocalMeans()(noisy)
    first = noisy[0, 0].numpy()
    sigma = noise_level(first)
    expected = denoise_nl_means(first, patch_size=5, patch_distance=5, h=0.8 * sigma, sigma=sigma, fast_mode=True)
    np.testing.assert_allclose(restored[0, 0].numpy(), expected, rtol=1e-6)
    assert restored.shape == noisy.shape
    assert restored.dtype == noisy.dtype
    assert (restored - images).square().mean() < 0.5 * (noisy - images).square().mean()


def test_non_local_means_leaves_a_slice_without_noise_alone(images):
    torch.testing.assert_close(NonLocalMeans()(images), images)


def test_non_local_means_names_what_is_not_positive():
    with pytest.raises(ValueError, match=r"must be positive, got 5, 0 and 0\.8"):
        NonLocalMeans(patch_distance=0)
