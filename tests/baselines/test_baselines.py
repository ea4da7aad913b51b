# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest
import torch
from scipy.ndimage import median_filter
from skimage.restoration import denoise_nl_means, inpaint_biharmonic

from scripts.baselines import Biharmonic, NonLocalMeans, fit_pca, identity, median, noise_level, training_pca


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


def test_biharmonic_is_scikit_image_inside_the_holes_and_nothing_outside(images):
    smooth = torch.nn.functional.avg_pool2d(images, 9, 1, 4)
    holes = torch.zeros_like(smooth, dtype=torch.bool)
    holes[0, 0, 12:22, 10:20] = True
    holes[0, 0, :5, :5] = True  # at the border
    damaged = smooth.masked_fill(holes, 0.0)
    filled = Biharmonic()(damaged, holes)
    expected = inpaint_biharmonic(damaged[0, 0].double().numpy(), holes[0, 0].numpy())
    np.testing.assert_allclose(filled[0, 0], expected, atol=1e-5)
    assert torch.equal(filled[~holes], damaged[~holes])
    assert torch.equal(filled[1], damaged[1])
    assert (filled - smooth)[holes].square().mean() < 0.02 * smooth[holes].square().mean()
    assert filled.dtype == damaged.dtype


def test_biharmonic_leaves_a_slice_that_is_nothing_but_hole(images):
    assert torch.equal(Biharmonic()(images, torch.ones_like(images, dtype=torch.bool)), images)


@pytest.mark.parametrize("num_components", [3, 25], ids=["randomised", "exact"])
def test_pca_finds_the_subspace_of_numpys_singular_value_decomposition(num_components):
    generator = torch.Generator().manual_seed(0)
    strengths = 0.7 ** torch.arange(60.0)
    images = (torch.randn(60, 60, generator=generator) * strengths) @ torch.randn(60, 13 * 9, generator=generator)
    images = images.view(60, 1, 13, 9)
    pca = fit_pca(images, num_components)
    flat = images.flatten(1).double().numpy()
    centred = flat - flat.mean(0)
    rows = np.linalg.svd(centred, full_matrices=False)[2][:num_components]
    expected = centred @ rows.T @ rows + flat.mean(0)
    np.testing.assert_allclose(pca(images).flatten(1), expected, atol=2e-3 * np.abs(expected).max())
    np.testing.assert_allclose(pca.components @ pca.components.T, np.eye(num_components), atol=1e-5)
    assert pca.encode(images).shape == (60, num_components)
    torch.testing.assert_close(fit_pca(images, num_components).components, pca.components)


def test_pca_fits_slices_of_another_size_around_the_centre():
    images = torch.rand(20, 1, 12, 16, generator=torch.Generator().manual_seed(0))
    pca = fit_pca(images, 19)  # all there are: a training image comes back
    torch.testing.assert_close(pca(images), images, atol=1e-4, rtol=0)
    wider = torch.nn.functional.pad(images, (1, 1, 2, 2))
    torch.testing.assert_close(pca(wider), wider, atol=1e-4, rtol=0)
    torch.testing.assert_close(pca(wider[..., 3:-3, :]).shape, wider[..., 3:-3, :].shape)


def test_pca_names_what_it_cannot_have():
    with pytest.raises(ValueError, match="4 images have 1 to 3 principal components, 4 were asked for"):
        fit_pca(torch.rand(4, 1, 8, 8), 4)


def volume(item):
    image = torch.as_tensor(nib.load(item["image"]).get_fdata(dtype=np.float32))
    return item | {"image": image[None] / 500}


def test_pca_of_a_cohort_uses_its_training_slices_alone(tiny_cohort, capsys):
    pca = training_pca(tiny_cohort, volume, compression=1 / 96)
    assert pca.components.shape == (8, 32 * 24)
    few = training_pca(tiny_cohort, volume, compression=0.5, max_slices=5)
    assert len(few.components) == 4
    assert "5 training slices have no 384 components, so 4 are used" in capsys.readouterr().out
    one = volume({"image": tiny_cohort / "a.nii.gz"})["image"][0, :, :, 2]
    assert (pca(one[None, None]) - one).square().mean() < 0.2 * one.square().mean()


def test_a_cohort_without_training_subjects_has_no_pca(tiny_cohort, tmp_path):
    cohort = json.loads((tiny_cohort / "dataset.json").read_text())
    (tmp_path / "dataset.json").write_text(json.dumps(cohort | {"training": []}))
    assert training_pca(tmp_path, volume) is None
