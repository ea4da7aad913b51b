# SPDX-License-Identifier: Apache-2.0
"""Noise: Gaussian, Rician, which is what thermal noise becomes in a magnitude image, and single lost pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .bias_field import bias_terms, ellipsoid, smooth_field
from .draws import Draws
from .parameters import per_image, probability, value_range

__all__ = [
    "RandGaussianNoise", "RandPixelDropout", "RandRicianNoise", "gaussian_noise", "noise_map", "pixel_dropout",
    "rician_noise",
]  # fmt: skip

MAP_DEGREE = 2
"""Degree of the polynomial along which noise varies."""


def gaussian_noise(images: Tensor, std: Tensor, normal: Tensor) -> Tensor:
    """Add Gaussian noise of a given standard deviation, without clipping.

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
        ValueError: a parameter is out of range.
    """

    def __init__(self, std: Sequence[float] = (0.0, 0.04), prob: float = 1.0) -> None:
        self.std = value_range("std", std, 0.0, float("inf"))
        self.prob = probability(prob)

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Damage ``images`` of shape ``(B, C, *spatial)``."""
        std = draws.uniform("gaussian_noise.std", *self.std)
        std = std * (draws.uniform("gaussian_noise.prob") < self.prob)
        return gaussian_noise(images, std, draws.normal_field("gaussian_noise.field", images.shape[1:]))


def rician_noise(images: Tensor, std: Tensor, real: Tensor, imaginary: Tensor) -> Tensor:
    r"""Add Gaussian noise to both parts of a complex image and take its magnitude.

    .. math:: \sqrt{(x + \sigma n_1)^2 + (\sigma n_2)^2}

    Where the signal is strong (three times :math:`\sigma` and more) it is all but Gaussian noise of the same standard
    deviation; in the air it is Rayleigh noise, whose mean is :math:`1.25 \sigma`: dark regions get brighter.

    Args:
        images: magnitude images, >= 0, shape ``(B, C, *spatial)``.
        std: standard deviation in each part, 1 = the volume's 99.5th percentile: for each image, shape ``(B,)``, or for
            each voxel, ``(B, 1, *spatial)``.
        real: standard normal numbers, shape of ``images``.
        imaginary: standard normal numbers, shape of ``images``.

    Returns:
        The damaged images, >= 0, shape of ``images``; those with ``std`` 0 are unchanged.

    References:
        Gudbjartsson and Patz, The Rician distribution of noisy MRI data, Magn. Reson. Med. 34, 1995
        (doi:10.1002/mrm.1910340618). MONAI's ``RandRicianNoise`` has the same formula.
    """
    std = std if std.ndim > 1 else per_image(std, images)
    return torch.where(std > 0, torch.hypot(images + std * real, std * imaginary), images)


def noise_map(coefficients: Tensor, variation: Tensor, spatial_shape: Sequence[int]) -> Tensor:
    """Relative standard deviation of noise that is stronger in one part of the head than in another.

    Parallel imaging and uneven coils amplify noise in the middle of the head or on one side. The map is the exponential
    of a smooth field of degree 2, divided by its root mean square in the ellipsoid that touches the sides of the image,
    so that the noise of the whole head stays as strong.

    Args:
        coefficients: of the field, see :func:`~scripts.corruptions.bias_field.smooth_field`, shape ``(B, terms)``.
        variation: largest absolute logarithm in the ellipsoid before the division, shape ``(B,)``; 0 gives 1
            everywhere.
        spatial_shape: size along each axis.

    Returns:
        Shape ``(B, 1, *spatial_shape)``, > 0.
    """
    field = smooth_field(coefficients, spatial_shape, MAP_DEGREE, inscribed=True)
    inside = ellipsoid(tuple(spatial_shape), field.device)
    largest = per_image((field * inside).flatten(1).abs().amax(dim=1), field)
    gain = torch.exp(field * per_image(variation, field) / largest.where(largest > 0, 1.0))
    square = (gain * inside).flatten(1).square().sum(dim=1) / inside.sum()
    return gain / per_image(square.sqrt(), gain)


class RandRicianNoise:
    """Rician noise with a standard deviation drawn for each image.

    Args:
        std: range of the standard deviation, 1 = the volume's 99.5th percentile.
        prob: probability that an image is damaged.
        variation: range of the largest absolute logarithm of its variation over the image, see :func:`noise_map`; by
            default it is the same everywhere.

    Raises:
        ValueError: a parameter is out of range.
    """

    def __init__(
        self, std: Sequence[float] = (0.0, 0.04), prob: float = 1.0, variation: Sequence[float] = (0.0, 0.0)
    ) -> None:
        self.std = value_range("std", std, 0.0, float("inf"))
        self.prob = probability(prob)
        self.variation = value_range("variation", variation, 0.0, float("inf"))

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Damage ``images`` of shape ``(B, C, *spatial)``."""
        std = draws.uniform("rician_noise.std", *self.std)
        std = std * (draws.uniform("rician_noise.prob") < self.prob)
        shape = images.shape[1:]
        real = draws.normal_field("rician_noise.real", shape)
        if self.variation[1] > 0:
            variation = draws.uniform("rician_noise.variation", *self.variation)
            terms = len(bias_terms(images.ndim - 2, MAP_DEGREE))
            coefficients = 2 * draws.uniform_field("rician_noise.map", (terms,)) - 1
            std = per_image(std, images) * noise_map(coefficients, variation, images.shape[2:])
        return rician_noise(images, std, real, draws.normal_field("rician_noise.imaginary", shape))


def pixel_dropout(images: Tensor, rate: Tensor, uniform: Tensor, rescale: bool = False) -> Tensor:
    """Set the pixels whose uniform number lies below the rate to zero.

    Args:
        images: shape ``(B, C, *spatial)``.
        rate: share of pixels lost in each image, shape ``(B,)``, in ``[0, 1)``.
        uniform: uniform random numbers in ``[0, 1)``, shape of ``images``.
        rescale: whether to multiply the remaining pixels by ``1 / (1 - rate)``, like ``tf.nn.dropout`` in the thesis.
            It brightens the image, which no scanner does.

    Returns:
        The damaged images, shape of ``images``.
    """
    rate = per_image(rate, images)
    kept = images * (uniform >= rate)
    return kept / (1.0 - rate) if rescale else kept


class RandPixelDropout:
    """Pixel dropout with a rate drawn for each image.

    Args:
        rate: range of the share of lost pixels, within ``[0, 1)``.
        prob: probability that an image is damaged.
        rescale: see :func:`pixel_dropout`.

    Raises:
        ValueError: a parameter is out of range.
    """

    def __init__(self, rate: Sequence[float] = (0.0, 0.04), prob: float = 1.0, rescale: bool = False) -> None:
        self.rate = value_range("rate", rate, 0.0, 1.0)
        self.prob = probability(prob)
        self.rescale = rescale

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Damage ``images`` of shape ``(B, C, *spatial)``."""
        rate = draws.uniform("pixel_dropout.rate", *self.rate)
        rate = rate * (draws.uniform("pixel_dropout.prob") < self.prob)
        return pixel_dropout(images, rate, draws.uniform_field("pixel_dropout.field", images.shape[1:]), self.rescale)
