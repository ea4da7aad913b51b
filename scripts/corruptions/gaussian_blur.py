# SPDX-License-Identifier: Apache-2.0
"""Slight blur by a Gaussian of three pixels."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .draws import Draws
from .parameters import per_image, probability

__all__ = ["RandGaussianBlur", "gaussian_blur"]


def gaussian_blur(images: Tensor, sigma: float = 0.6) -> Tensor:
    """Convolve with a normalised Gaussian of three pixels along each spatial axis, mirrored at the border.

    Args:
        images: shape ``(B, C, *spatial)``, one to three spatial axes.
        sigma: standard deviation of the Gaussian in pixels.

    Returns:
        The blurred images, shape of ``images``.

    References:
        TensorFlow Addons, ``tfa.image.gaussian_filter2d(filter_shape=3, sigma=0.6, padding="REFLECT")``.
    """
    edge = math.exp(-0.5 / sigma**2)
    centre = 1.0 / (1.0 + 2.0 * edge)
    for axis in range(2, images.ndim):
        pad = [0, 0] * (images.ndim - 1 - axis) + [1, 1] + [0, 0] * (axis - 2)
        padded = F.pad(images, pad, mode="reflect")
        size = images.shape[axis]
        neighbours = padded.narrow(axis, 0, size) + padded.narrow(axis, 2, size)
        images = centre * images + (centre * edge) * neighbours
    return images


class RandGaussianBlur:
    """Apply :func:`gaussian_blur` to a random share of the images.

    Args:
        sigma: standard deviation in pixels.
        prob: probability that an image is blurred.

    Raises:
        ValueError: a parameter is out of range.
    """

    def __init__(self, sigma: float = 0.6, prob: float = 0.1) -> None:
        if sigma <= 0:
            raise ValueError(f"sigma must be positive, got {sigma}.")
        self.sigma = sigma
        self.prob = probability(prob)

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Blur a share of ``images`` of shape ``(B, C, *spatial)``."""
        chosen = per_image(draws.uniform("gaussian_blur.prob") < self.prob, images)
        return torch.where(chosen, gaussian_blur(images, self.sigma), images)
