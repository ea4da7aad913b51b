# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.metrics import SSIMMetric
from scipy.ndimage import gaussian_laplace
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from scripts.losses import ssim_map
from scripts.losses.dssim import separable_filter
from scripts.metrics import METRIC_NAMES, RestorationMetrics, laplacian_of_gaussian, peak_signal_to_noise_ratio


@pytest.fixture
def pair():
    generator = np.random.default_rng(0)
    target = generator.random((3, 1, 33, 27)).astype(np.float32)
    prediction = target + 0.1 * generator.standard_normal(target.shape).astype(np.float32)
    mask = generator.random(target.shape) < 0.3
    return torch.from_numpy(prediction), torch.from_numpy(target), torch.from_numpy(mask)


def test_error_and_psnr_agree_with_scikit_image(pair):
    prediction, target, mask = pair
    rows = RestorationMetrics(target, {"head": mask})(prediction)
    assert rows["whole"]["mse"] == pytest.approx(mean_squared_error(target.numpy(), prediction.numpy()), rel=1e-6)
    psnr = peak_signal_noise_ratio(target.numpy(), prediction.numpy(), data_range=1)
    assert rows["whole"]["psnr"] == pytest.approx(psnr, rel=1e-6)
    inside = mean_squared_error(target[mask].numpy(), prediction[mask].numpy())
    assert rows["head"]["mse"] == pytest.approx(inside, rel=1e-6)


def test_psnr_of_nothing_wrong_is_infinite_and_follows_the_range():
    assert peak_signal_to_noise_ratio(0.0) == math.inf
    assert math.isnan(peak_signal_to_noise_ratio(math.nan))
    assert peak_signal_to_noise_ratio(1.0, data_range=10.0) == pytest.approx(20)


def test_ssim_agrees_with_scikit_image_and_monai_whole_and_in_a_mask(pair):
    prediction, target, mask = pair
    similarity = ssim_map(prediction, target)
    assert similarity.shape == (3, 1, 23, 17)
    maps = np.stack(
        [
            structural_similarity(
                t[0], p[0], data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
            )[1][None, 5:-5, 5:-5]
            for p, t in zip(prediction.numpy(), target.numpy(), strict=True)
        ]
    )
    # float32 against scikit-image's arithmetic of the same window, 3.5 sigma = 11 pixels
    np.testing.assert_allclose(similarity.numpy(), maps, atol=2e-5)
    inner = mask[..., 5:-5, 5:-5].numpy()
    rows = RestorationMetrics(target, {"head": mask})(prediction)
    assert rows["head"]["ssim"] == pytest.approx(maps[inner].mean(), abs=1e-5)
    monai = SSIMMetric(spatial_dims=2, data_range=1.0)(prediction, target).mean().item()
    assert rows["whole"]["ssim"] == pytest.approx(monai, abs=1e-6)
    assert rows["whole"]["dssim"] == pytest.approx((1 - monai) / 2, abs=1e-6)


def test_ssim_and_psnr_agree_with_tensorflow(real_data):
    stored = np.load(real_data / "keras_parity" / "ssim_parity.npz")
    a, b = (torch.from_numpy(stored[name]).movedim(-1, 1) for name in ("a", "b"))
    np.testing.assert_allclose(ssim_map(a, b).flatten(1).mean(1).numpy(), stored["ssim"], atol=1e-5)
    psnr = [RestorationMetrics(y[None])(x[None])["whole"]["psnr"] for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(psnr, stored["psnr"], atol=1e-4)


def test_separable_filter_agrees_with_a_convolution(pair):
    rows, columns = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.25, 3.0])
    expected = torch.nn.functional.conv2d(pair[1], torch.outer(rows, columns)[None, None])
    torch.testing.assert_close(separable_filter(pair[1], rows, columns), expected)


def test_laplacian_of_gaussian_agrees_with_scipy(pair):
    target = pair[1].double()
    expected = [gaussian_laplace(image[0], 1.5, mode="nearest", radius=7) for image in target.numpy()]
    np.testing.assert_allclose(laplacian_of_gaussian(target)[:, 0].numpy(), np.stack(expected), atol=1e-12)


def test_high_frequency_error_norm_agrees_with_scipy_and_its_closed_forms(pair):
    prediction, target, mask = (x.double() if x.is_floating_point() else x for x in pair)
    filtered = [
        np.stack([gaussian_laplace(image[0], 1.5, mode="nearest", radius=7) for image in x.numpy()])[:, None]
        for x in (prediction, target)
    ]
    norm = np.linalg.norm
    expected = norm((filtered[0] - filtered[1])[mask]) / norm(filtered[1][mask])
    metrics = RestorationMetrics(target, {"head": mask})
    assert metrics(prediction)["head"]["hfen"] == pytest.approx(expected, rel=1e-9)
    assert metrics(target + 0.3)["whole"]["hfen"] < 1e-3  # no fine structure changed: the kernel sums to nearly zero
    assert metrics(torch.zeros_like(target))["whole"]["hfen"] == pytest.approx(1)


def test_every_metric_in_every_region_and_nan_in_an_empty_one(pair):
    prediction, target, mask = pair
    rows = RestorationMetrics(target, {"head": mask, "nothing": mask & ~mask})(prediction)
    assert list(rows) == ["whole", "head", "nothing"]
    assert all(tuple(row) == METRIC_NAMES for row in rows.values())
    assert all(math.isnan(value) for value in rows["nothing"].values())
    assert not any(math.isnan(value) for value in rows["head"].values())


def test_a_perfect_restoration_has_no_error(pair):
    perfect = RestorationMetrics(pair[1])(pair[1])["whole"]
    assert (perfect["mse"], perfect["psnr"], perfect["hfen"]) == (0, math.inf, 0)
    assert perfect["ssim"] == pytest.approx(1)


def test_shapes_that_differ_are_named(pair):
    prediction, target, mask = pair
    with pytest.raises(ValueError, match=r"region 'head' must have the shape of target, \(3, 1, 33, 27\), got \(1, 1"):
        RestorationMetrics(target, {"head": mask[:1]})
    with pytest.raises(ValueError, match=r"prediction must have the shape of target, .* got \(1, 1, 33, 27\)"):
        RestorationMetrics(target)(prediction[:1])
