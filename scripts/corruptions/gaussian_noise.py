# SPDX-License-Identifier: Apache-2.0
"""Additive Gaussian noise."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from .draws import Draws
from .per_image import per_image, probability, value_range

__all__ = ["RandGaussianNoise", "gaussian_noise"]


def gaussian_noise(images: Tensor, std: Tensor, normal: Tensor) -> Tensor:
    """Add noise of the given standard deviation; nothing is clipped.

    Thermal noise of a scanner is Gaussian in the complex image; in the magnitude image it is Gaussian where the signal
    is strong and Rician in the air.

    Args:
        images: shape ``(B, C, *spatial)``.
        std: standard deviation for each image in units of the image (1 = the volume's 99.5th percentile),
            shape ``(B,)``.
        normal: standard normal numbers, shape of ``images``.

    Returns:
        The damaged images, shape of ``images``.
    """
    return images + per_image(std, images) * normal


class RandGaussianNoise:
    """Gaussian noise with a standard deviation drawn for each image.

    Args:
        std: range of the standard deviation, 1 = the volume's 99.5th percentile.
        prob: probability that an image is damaged.

    Raises:
        ValueError: a number outside its range.
    """

    def __init__(self, std: Sequence[float] = (0.0, 0.04), prob: float = 1.0) -> None:
        self.std = value_range("std", std, 0.0, float("inf"))
        self.prob = probability(prob)

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Damage ``images`` of shape ``(B, C, *spatial)``."""
        std = draws.uniform("gaussian_noise.std", *self.std)
        std = std * (draws.uniform("gaussian_noise.prob") < self.prob)
        return gaussian_noise(images, std, draws.normal_field("gaussian_noise.field", images.shape[1:]))
