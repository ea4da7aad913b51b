# SPDX-License-Identifier: Apache-2.0
"""Laplacian of a Gaussian: the fine structure of an image, for the high-frequency error norm."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..losses.separable_filter import gaussian_kernel, separable_filter

__all__ = ["laplacian_of_gaussian"]

HFEN_SIGMA = 1.5
"""Standard deviation of the Gaussian in pixels (Ravishankar and Bresler 2011)."""

HFEN_RADIUS = 7
"""Radius of the kernel in pixels: 15 x 15 as in the paper."""


def laplacian_of_gaussian(images: Tensor, sigma: float = HFEN_SIGMA, radius: int = HFEN_RADIUS) -> Tensor:
    r"""Filter 2-D images with the Laplacian of a Gaussian.

    The high-frequency error norm (HFEN) of a restored image is

    .. math:: \frac{\lVert \mathrm{LoG}(\hat x) - \mathrm{LoG}(x) \rVert_2}{\lVert \mathrm{LoG}(x) \rVert_2}

    with both norms over the pixels of a region, in all slices together: 0 for a perfect image, 1 for one without any
    fine structure. ``Differs from the paper:`` divided by the target's norm, so that volumes of different size and
    contrast can be compared. PSNR hardly notices what it measures.

    Equal to ``scipy.ndimage.gaussian_laplace(image, sigma, mode="nearest", radius=radius)`` of each slice.

    Args:
        images: shape ``(N, 1, H, W)``.
        sigma: standard deviation of the Gaussian in pixels, > 0.
        radius: half the kernel's side in pixels; the border pixels are repeated outwards.

    Returns:
        The shape of ``images``; intensity per squared pixel.

    References:
        Ravishankar and Bresler, MR image reconstruction from highly undersampled k-space data by dictionary learning,
        IEEE Trans. Medical Imaging 30(5), 2011 (doi:10.1109/TMI.2010.2090538).
    """
    gaussian = gaussian_kernel(sigma, radius)
    x = torch.arange(-radius, radius + 1, dtype=torch.float64)
    second_derivative = gaussian * (x**2 / sigma**4 - 1 / sigma**2)
    padded = F.pad(images, (radius,) * 4, mode="replicate")
    return separable_filter(padded, second_derivative, gaussian) + separable_filter(padded, gaussian, second_derivative)
