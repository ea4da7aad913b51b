# SPDX-License-Identifier: Apache-2.0
"""The structural similarity at every pixel, so that it can be averaged inside a mask."""

from __future__ import annotations

from torch import Tensor

from .separable import gaussian_kernel, separable_filter

__all__ = ["SSIM_MARGIN", "SSIMMap"]

SSIM_MARGIN = 5
"""Radius of the window in pixels; pixels that near to the border have no whole window and hence no SSIM."""


class SSIMMap:
    """Local structural similarity to a target, with the settings of ``tf.image.ssim`` and MONAI's ``SSIMMetric``.

    Gaussian window of 11 x 11 pixels, sigma 1.5, k1 0.01, k2 0.03, population moments, no padding. The target's moments
    are computed once, for many predictions of the same target.

    Args:
        target: shape ``(N, 1, H, W)``, sides of at least 11 pixels.
        data_range: the ``L`` of the stabilising constants.

    Raises:
        ValueError: a slice is smaller than the window.

    References:
        Wang, Bovik, Sheikh and Simoncelli, Image quality assessment: from error visibility to structural similarity,
        IEEE Trans. Image Processing 13(4), 2004 (doi:10.1109/TIP.2003.819861).
    """

    def __init__(self, target: Tensor, data_range: float = 1.0) -> None:
        side = 2 * SSIM_MARGIN + 1
        if min(target.shape[-2:]) < side:
            raise ValueError(f"SSIM needs slices of at least {side} x {side} pixels, got {tuple(target.shape[-2:])}.")
        self.target = target
        self.c1, self.c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
        self.mean = self._local_mean(target)
        self.variance = self._local_mean(target.square()) - self.mean.square()

    def __call__(self, prediction: Tensor) -> Tensor:
        """Compare a prediction.

        Args:
            prediction: the shape of the target.

        Returns:
            Shape ``(N, 1, H - 10, W - 10)``, values in [-1, 1]; 1 where the two are equal.
        """
        mean = self._local_mean(prediction)
        variance = self._local_mean(prediction.square()) - mean.square()
        covariance = self._local_mean(prediction * self.target) - mean * self.mean
        luminance = (2 * mean * self.mean + self.c1) / (mean.square() + self.mean.square() + self.c1)
        structure = (2 * covariance + self.c2) / (variance + self.variance + self.c2)
        return luminance * structure

    @staticmethod
    def _local_mean(images: Tensor) -> Tensor:
        window = gaussian_kernel(sigma=1.5, radius=SSIM_MARGIN)
        return separable_filter(images, window, window)
