# SPDX-License-Identifier: Apache-2.0
"""Structural dissimilarity, equal to that of TensorFlow, and the separable filters that it is made of.

The filters are products with banded matrices: ten times as fast as ``conv2d`` with one channel on a CPU.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["DSSIMLoss", "gaussian_kernel", "separable_filter", "ssim_map"]

WINDOW_SIZE = 11
WINDOW_SIGMA = 1.5
K1 = 0.01
K2 = 0.03


class DSSIMLoss(nn.Module):
    r"""Structural dissimilarity of two batches of images.

    .. math:: \text{DSSIM}(x, y) = \frac{1 - \text{SSIM}(x, y)}{2}

    with the mean of ``ssim_map`` over each image, then over the batch: ``(1 - tf.image.ssim(x, y, data_range)) / 2``.
    It lies in [0, 1]; 0 for equal images.

    Args:
        data_range: largest minus smallest value that an image can have.

    Raises:
        ValueError: ``data_range`` is not positive.

    References:
        Wang et al., Image quality assessment: from error visibility to structural similarity, IEEE Transactions on
        Image Processing 13(4), 2004 (doi:10.1109/TIP.2003.819861).

    Example:
        >>> DSSIMLoss()(torch.ones(1, 1, 16, 16), torch.ones(1, 1, 16, 16))
        tensor(0.)
    """

    def __init__(self, data_range: float = 1.0) -> None:
        super().__init__()
        if not data_range > 0:
            raise ValueError(f"data_range must be positive, got {data_range}. Use 1.0 for images in [0, 1].")
        self.data_range = data_range

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the dissimilarity of ``(B, C, *spatial)`` from a target of the same shape, a scalar."""
        return (1.0 - ssim_map(prediction, target, self.data_range).mean()) / 2.0


def ssim_map(prediction: Tensor, target: Tensor, data_range: float = 1.0) -> Tensor:
    r"""Structural similarity at each position where the 11-element Gaussian window (sigma 1.5) fits into the image.

    .. math:: \text{SSIM} = \frac{(2 \mu_x \mu_y + c_1)(2 \sigma_{xy} + c_2)}
        {(\mu_x^2 + \mu_y^2 + c_1)(\sigma_x^2 + \sigma_y^2 + c_2)}, \qquad c_i = (k_i \cdot \text{data range})^2

    with :math:`k_1 = 0.01, k_2 = 0.03` and moments without correction for the sample size, as in TensorFlow.
    MONAI's ``SSIMMetric`` gives the same values. The window is applied here as one banded matrix along each axis: value
    and gradient then take less than a tenth of the time of MONAI's convolution with a single channel on a CPU, which
    would double the training step.

    Args:
        prediction: ``(B, C, *spatial)``, any number of spatial axes, each of at least 11 elements.
        target: same shape.
        data_range: largest minus smallest value that an image can have.

    Returns:
        Similarity, ``(B, C, *(spatial - 10))``, in [-1, 1].

    Raises:
        ValueError: the shapes differ, or an axis is shorter than the window.
    """
    if prediction.shape != target.shape:
        raise ValueError(
            f"prediction and target must have the same shape, got {tuple(prediction.shape)} and {tuple(target.shape)}."
        )
    if min(prediction.shape[2:]) < WINDOW_SIZE:
        raise ValueError(
            f"spatial shape {tuple(prediction.shape[2:])} is smaller than the SSIM window of {WINDOW_SIZE}. "
            f"Use images of at least {WINDOW_SIZE} elements along each axis."
        )
    dtype = torch.promote_types(prediction.dtype, torch.float32)
    with torch.autocast(prediction.device.type, enabled=False):
        x, y = prediction.to(dtype), target.to(dtype)
        mean_x, mean_y, mean_xx, mean_yy, mean_xy = _window_mean(torch.stack([x, y, x * x, y * y, x * y]))
        c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
        luminance = (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1)
        covariance = mean_xy - mean_x * mean_y
        variances = (mean_xx - mean_x.square()) + (mean_yy - mean_y.square())
        return luminance * (2 * covariance + c2) / (variances + c2)


def _window_mean(images: Tensor) -> Tensor:
    """Weighted mean of ``(N, B, C, *spatial)`` in the Gaussian window, which is separable, axis by axis."""
    window = gaussian_kernel(WINDOW_SIGMA, WINDOW_SIZE // 2)
    for axis in range(3, images.ndim):
        matrix = _banded(window, images.shape[axis]).to(images)
        images = (images.transpose(axis, -1) @ matrix.mT).transpose(axis, -1)
    return images


def gaussian_kernel(sigma: float, radius: int) -> Tensor:
    """Gaussian sampled at whole pixels and normalised to sum 1, double precision, shape ``(2 * radius + 1,)``."""
    x = torch.arange(-radius, radius + 1, dtype=torch.float64)
    kernel = torch.exp(-0.5 * (x / sigma) ** 2)
    return kernel / kernel.sum()


def separable_filter(images: Tensor, along_rows: Tensor, along_columns: Tensor) -> Tensor:
    """Correlate images with the outer product of two kernels, without padding.

    Args:
        images: shape ``(..., H, W)``.
        along_rows: kernel for the first spatial axis, shape ``(K,)`` with ``K <= H``.
        along_columns: kernel for the second one, shape ``(L,)`` with ``L <= W``.

    Returns:
        Shape ``(..., H - K + 1, W - L + 1)``.

    Example:
        >>> separable_filter(torch.ones(1, 1, 4, 5), torch.ones(3), torch.ones(2)).shape
        torch.Size([1, 1, 2, 4])
    """
    left = _banded(along_rows, images.shape[-2]).to(images)
    right = _banded(along_columns, images.shape[-1]).to(images)
    return left @ images @ right.mT


def _banded(kernel: Tensor, size: int) -> Tensor:
    """Matrix whose row ``i`` holds the kernel from column ``i`` on, shape ``(size - K + 1, size)``."""
    count = size - len(kernel) + 1
    matrix = kernel.new_zeros(count, size)
    columns = torch.arange(count)[:, None] + torch.arange(len(kernel))
    return matrix.scatter_(1, columns, kernel.expand(count, -1))
