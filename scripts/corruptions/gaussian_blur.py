# SPDX-License-Identifier: Apache-2.0
"""Blur by a Gaussian of three pixels, or of any width."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .draws import Draws
from .kspace import frequencies, weigh_kspace
from .parameters import damage_chosen, per_image, probability, value_range

__all__ = ["RandGaussianBlur", "RandKSpaceBlur", "gaussian_blur", "kspace_blur"]


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


def kspace_blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Blur each slice with a Gaussian of any width, by weighing k-space with its transform.

    Args:
        images: shape ``(B, C, H, W)`` or ``(B, C, H, W, D)``; opposite borders count as neighbours.
        sigma: standard deviation of the Gaussian in pixels, shape ``(B,)``; 0 changes nothing.

    Returns:
        The blurred images, >= 0, shape of ``images``.
    """
    rows, columns = (
        torch.exp(-2 * (math.pi / size * sigma[:, None] * frequencies(size, images.device)).square())
        for size in images.shape[2:4]
    )
    return weigh_kspace(images, rows[:, :, None] * columns[:, None, :], symmetric=True)


class RandKSpaceBlur:
    """Gaussian blur with a width drawn for each image.

    Args:
        sigma: range of the standard deviation in pixels.
        prob: probability that an image is damaged.

    Raises:
        ValueError: a parameter is out of range.
    """

    def __init__(self, sigma: Sequence[float] = (0.4, 1.2), prob: float = 1.0) -> None:
        self.sigma = value_range("sigma", sigma, 0.0, float("inf"))
        self.prob = probability(prob)

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Damage ``images`` of shape ``(B, C, *spatial)``."""
        sigma = draws.uniform("kspace_blur.sigma", *self.sigma)
        return damage_chosen(images, draws.uniform("kspace_blur.prob") < self.prob, kspace_blur, sigma)
