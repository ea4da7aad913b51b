# SPDX-License-Identifier: Apache-2.0
"""DSSIM against TensorFlow, scikit-image, MONAI and float64 differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.metrics import SSIMMetric
from skimage.metrics import structural_similarity

from scripts.losses import DSSIMLoss, ssim_map


def pair(*shape: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(shape, generator=generator, dtype=dtype)
    return clean, (clean + 0.2 * torch.randn(shape, generator=generator, dtype=dtype)).clamp(0, 1)


def reference_ssim(a: np.ndarray, b: np.ndarray, data_range: float = 1.0) -> float:
    """Scikit-image's, with the constants of TensorFlow; float64."""
    return structural_similarity(
        a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=data_range
    )


def test_ssim_equals_tensorflow_s(real_data):
    data = np.load(real_data / "keras_parity" / "ssim_parity.npz")
    a, b = (torch.from_numpy(data[key]).movedim(-1, 1) for key in "ab")
    difference = np.abs(ssim_map(a, b).flatten(1).mean(1).numpy() - data["ssim"]).max()
    assert difference < 1e-5
    assert abs(DSSIMLoss()(a, b).item() - (1 - data["ssim"].mean()) / 2) < 1e-5


@pytest.mark.parametrize("shape", [(1, 1, 17, 23), (1, 1, 13, 12, 19)], ids=["2D", "3D"])
@pytest.mark.parametrize("data_range", [1.0, 255.0])
def test_value_equals_scikit_image_s(shape, data_range):
    a, b = (data_range * image for image in pair(*shape, dtype=torch.float64))
    expected = (1 - reference_ssim(a[0, 0].numpy(), b[0, 0].numpy(), data_range)) / 2
    assert DSSIMLoss(data_range)(a, b).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("shape", [(3, 2, 17, 23), (2, 1, 13, 12, 19)], ids=["2D", "3D"])
def test_value_equals_monai_s_for_batches_and_channels(shape):
    a, b = pair(*shape)
    per_image = ssim_map(a, b).flatten(1).mean(1, keepdim=True)
    # MONAI's own float32 rounding
    torch.testing.assert_close(per_image, SSIMMetric(spatial_dims=len(shape) - 2)(a, b), atol=2e-5, rtol=0)


@pytest.mark.parametrize("shape", [(1, 1, 14, 15), (1, 1, 12, 13, 11)], ids=["2D", "3D"])
def test_gradient_equals_float64_differences_of_scikit_image(shape):
    a, b = pair(*shape, dtype=torch.float64)
    prediction = a.float().requires_grad_()
    DSSIMLoss()(prediction, b.float()).backward()
    generator, step = np.random.default_rng(0), 1e-5
    for _ in range(8):
        position = tuple(generator.integers(size) for size in shape[2:])
        values = []
        for sign in (1, -1):
            moved = a[0, 0].numpy().copy()
            moved[position] += sign * step
            values.append((1 - reference_ssim(moved, b[0, 0].numpy())) / 2)
        expected = (values[0] - values[1]) / (2 * step)
        assert prediction.grad[0, 0][position].item() == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_equal_images_have_no_dissimilarity_and_opposite_ones_much():
    a, _ = pair(2, 1, 16, 16)
    assert DSSIMLoss()(a, a).item() == pytest.approx(0, abs=1e-6)
    assert DSSIMLoss()(a, 1 - a).item() > 0.9


def test_autocast_does_not_lower_the_precision():
    a, b = pair(2, 1, 16, 24)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(DSSIMLoss()(a, b), DSSIMLoss()(a, b).float())
        value = DSSIMLoss()(a, b)
    assert torch.equal(value, DSSIMLoss()(a, b))


def test_images_smaller_than_the_window_are_refused():
    with pytest.raises(ValueError, match=r"spatial shape \(10, 40\) is smaller than the SSIM window of 11"):
        DSSIMLoss()(*pair(1, 1, 10, 40))


def test_shapes_that_differ_are_named():
    with pytest.raises(ValueError, match=r"got \(1, 1, 16, 16\) and \(1, 1, 16, 24\)"):
        DSSIMLoss()(torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 16, 24))


@pytest.mark.parametrize("data_range", [0, -1, float("nan")])
def test_data_range_must_be_positive(data_range):
    with pytest.raises(ValueError, match="data_range must be positive, got"):
        DSSIMLoss(data_range)
