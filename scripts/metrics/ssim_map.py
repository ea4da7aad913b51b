# SPDX-License-Identifier: Apache-2.0
"""The structural similarity at every pixel, so that it can be averaged inside a mask."""

from __future__ import annotations

import torch.nn.functional as F
from monai.metrics.regression import compute_ssim_and_cs
from torch import Tensor

__all__ = ["SSIM_MARGIN", "masked_ssim", "ssim_map"]

SSIM_WINDOW = 11
"""Side of the Gaussian window in pixels; with sigma 1.5, k1 0.01 and k2 0.03 the settings of ``tf.image.ssim``."""

SSIM_MARGIN = SSIM_WINDOW // 2
"""Pixels at each border that have no whole window and hence no SSIM."""


def ssim_map(prediction: Tensor, target: Tensor, data_range: float = 1.0) -> Tensor:
    """Compute the local structural similarity of 2-D images with the settings of TensorFlow.

    Args:
        prediction: shape ``(N, 1, H, W)``, sides of at least 11 pixels.
        target: the shape of ``prediction``.
        data_range: the ``L`` of the stabilising constants.

    Returns:
        Shape ``(N, 1, H - 10, W - 10)``, values in [-1, 1]; 1 where the two are equal. Its mean is ``tf.image.ssim``.

    References:
        Wang, Bovik, Sheikh and Simoncelli, Image quality assessment: from error visibility to structural similarity,
        IEEE Trans. Image Processing 13(4), 2004 (doi:10.1109/TIP.2003.819861).
    """
    if min(target.shape[-2:]) < SSIM_WINDOW:
        raise ValueError(
            f"SSIM needs slices of at least {SSIM_WINDOW} x {SSIM_WINDOW} pixels, got {tuple(target.shape[-2:])}."
        )
    similarity, _ = compute_ssim_and_cs(
        prediction,
        target,
        spatial_dims=2,
        kernel_size=(SSIM_WINDOW, SSIM_WINDOW),
        kernel_sigma=(1.5, 1.5),
        data_range=data_range,
    )
    return similarity


def masked_ssim(similarity: Tensor, mask: Tensor | None = None) -> float:
    """Average an SSIM map over the pixels of a mask.

    Args:
        similarity: shape ``(N, 1, H - 10, W - 10)``, from :func:`ssim_map`.
        mask: boolean, shape ``(N, 1, H, W)``; its pixels within 5 of the border have no SSIM and do not count.
            ``None`` takes every pixel.

    Returns:
        A float in [-1, 1]; NaN where no pixel is left.
    """
    if mask is None:
        return float(similarity.double().mean())
    return float(similarity[F.pad(mask, (-SSIM_MARGIN,) * 4)].double().mean())
