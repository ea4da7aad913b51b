# SPDX-License-Identifier: Apache-2.0
"""High-frequency error norm: how much of the fine structure is lost, which PSNR hardly notices."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["high_frequency_error_norm", "laplacian_of_gaussian"]

HFEN_SIGMA = 1.5
"""Standard deviation of the Gaussian in pixels (Ravishankar and Bresler 2011)."""

HFEN_RADIUS = 7
"""Radius of the kernel in pixels: 15 x 15 as in the paper."""


def laplacian_of_gaussian(images: Tensor, sigma: float = HFEN_SIGMA, radius: int = HFEN_RADIUS) -> Tensor:
    """Filter 2-D images with the Laplacian of a Gaussian, as a sum of two separable convolutions.

    Equal to ``scipy.ndimage.gaussian_laplace(image, sigma, mode="nearest", radius=radius)`` of each slice.

    Args:
        images: shape ``(N, 1, H, W)``.
        sigma: standard deviation of the Gaussian in pixels, > 0.
        radius: half the kernel's side in pixels; the border pixels are repeated outwards.

    Returns:
        The shape of ``images``; intensity per squared pixel.
    """
    x = torch.arange(-radius, radius + 1, dtype=torch.float64)
    gaussian = torch.exp(-0.5 * (x / sigma) ** 2)
    gaussian = gaussian / gaussian.sum()
    second_derivative = gaussian * (x**2 / sigma**4 - 1 / sigma**2)
    padded = F.pad(images, (radius,) * 4, mode="replicate")

    def separable(rows: Tensor, columns: Tensor) -> Tensor:
        along_rows = F.conv2d(padded, rows.to(images).view(1, 1, -1, 1))
        return F.conv2d(along_rows, columns.to(images).view(1, 1, 1, -1))

    return separable(second_derivative, gaussian) + separable(gaussian, second_derivative)


def high_frequency_error_norm(prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> float:
    r"""Norm of the filtered error, relative to the norm of the filtered target.

    .. math:: \frac{\lVert \mathrm{LoG}(\hat x) - \mathrm{LoG}(x) \rVert_2}{\lVert \mathrm{LoG}(x) \rVert_2}

    with both norms over the pixels of the mask, in all slices together. ``Differs from the paper:`` divided by the
    target's norm, so that volumes of different size and contrast can be compared.

    Args:
        prediction: shape ``(N, 1, H, W)``.
        target: the shape of ``prediction``.
        mask: boolean, the shape of ``prediction``; ``None`` takes every pixel.

    Returns:
        A float >= 0: 0 for a perfect image, 1 for one without any fine structure; NaN where the mask is empty or the
        target flat.

    References:
        Ravishankar and Bresler, MR image reconstruction from highly undersampled k-space data by dictionary learning,
        IEEE Trans. Medical Imaging 30(5), 2011 (doi:10.1109/TMI.2010.2090538).
    """
    # the filter is linear: one pass over the error instead of one over the prediction
    error, reference = laplacian_of_gaussian(prediction - target), laplacian_of_gaussian(target)
    if mask is not None:
        error, reference = error[mask], reference[mask]
    return float(error.double().norm() / reference.double().norm())
