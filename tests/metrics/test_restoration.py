# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_laplace
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from scripts.metrics import (
    METRIC_NAMES,
    high_frequency_error_norm,
    laplacian_of_gaussian,
    masked_mean_squared_error,
    masked_ssim,
    peak_signal_to_noise_ratio,
    restoration_metrics,
    ssim_map,
)


@pytest.fixture
def pair():
    generator = np.random.default_rng(0)
    target = generator.random((3, 1, 33, 27)).astype(np.float32)
    prediction = target + 0.1 * generator.standard_normal(target.shape).astype(np.float32)
    mask = generator.random(target.shape) < 0.3
    return torch.from_numpy(prediction), torch.from_numpy(target), torch.from_numpy(mask)


def test_error_and_psnr_agree_with_scikit_image(pair):
    prediction, target, mask = pair
    error = masked_mean_squared_error(prediction, target)
    assert error == pytest.approx(mean_squared_error(target.numpy(), prediction.numpy()), rel=1e-6)
    expected = peak_signal_noise_ratio(target.numpy(), prediction.numpy(), data_range=1)
    assert peak_signal_to_noise_ratio(error) == pytest.approx(expected, rel=1e-6)
    inside = mean_squared_error(target[mask].numpy(), prediction[mask].numpy())
    assert masked_mean_squared_error(prediction, target, mask) == pytest.approx(inside, rel=1e-6)


def test_psnr_of_nothing_wrong_is_infinite_and_of_nothing_is_nan(pair):
    prediction, target, mask = pair
    assert peak_signal_to_noise_ratio(0.0) == math.inf
    assert math.isnan(peak_signal_to_noise_ratio(masked_mean_squared_error(prediction, target, mask & ~mask)))


def test_error_names_the_shapes_that_differ(pair):
    prediction, target, _ = pair
    with pytest.raises(ValueError, match=r"\(3, 1, 33, 27\), \(3, 1, 33, 26\)"):
        masked_mean_squared_error(prediction, target[..., 1:])


def test_ssim_agrees_with_scikit_image_whole_and_in_a_mask(pair):
    prediction, target, mask = pair
    similarity = ssim_map(prediction, target)
    assert similarity.shape == (3, 1, 23, 17)
    maps = [
        structural_similarity(
            t[0], p[0], data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
        )[1][5:-5, 5:-5]
        for p, t in zip(prediction.numpy(), target.numpy(), strict=True)
    ]
    # float32 against scikit-image's arithmetic of the same window, 3.5 sigma = 11 pixels
    np.testing.assert_allclose(similarity[:, 0].numpy(), np.stack(maps), atol=2e-5)
    inner = mask[:, 0, 5:-5, 5:-5].numpy()
    assert masked_ssim(similarity, mask) == pytest.approx(np.stack(maps)[inner].mean(), abs=1e-5)


def test_ssim_agrees_with_tensorflow(real_data):
    stored = np.load(real_data / "keras_parity" / "ssim_parity.npz")
    a, b = (torch.from_numpy(stored[name]).float().movedim(-1, 1) for name in ("a", "b"))
    ours = ssim_map(a, b).flatten(1).mean(1).numpy()
    np.testing.assert_allclose(ours, stored["ssim"], atol=1e-5)
    psnr = [peak_signal_to_noise_ratio(masked_mean_squared_error(x, y)) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(psnr, stored["psnr"], atol=1e-4)


def test_ssim_needs_a_whole_window():
    with pytest.raises(ValueError, match=r"at least 11 x 11 pixels, got \(10, 20\)"):
        ssim_map(torch.zeros(1, 1, 10, 20), torch.zeros(1, 1, 10, 20))


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
    assert high_frequency_error_norm(prediction, target, mask) == pytest.approx(expected, rel=1e-9)
    assert high_frequency_error_norm(target + 0.3, target) < 1e-3  # the sampled kernel sums to nearly zero
    assert high_frequency_error_norm(torch.zeros_like(target), target) == pytest.approx(1)


def test_restoration_metrics_have_every_metric_in_every_region(pair):
    prediction, target, mask = pair
    rows = restoration_metrics(prediction, target, {"whole": None, "head": mask, "nothing": mask & ~mask})
    assert list(rows) == ["whole", "head", "nothing"]
    assert all(tuple(row) == METRIC_NAMES for row in rows.values())
    assert rows["head"]["dssim"] == pytest.approx((1 - rows["head"]["ssim"]) / 2)
    assert rows["whole"]["psnr"] == pytest.approx(-10 * math.log10(rows["whole"]["mse"]))
    assert all(math.isnan(value) for value in rows["nothing"].values())


def test_a_perfect_restoration_has_no_error(pair):
    perfect = restoration_metrics(pair[1], pair[1], {"whole": None})["whole"]
    assert perfect == {
        "mse": 0,
        "psnr": math.inf,
        "dssim": pytest.approx(0, abs=1e-6),
        "ssim": pytest.approx(1),
        "hfen": 0,
    }
