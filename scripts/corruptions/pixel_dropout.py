# SPDX-License-Identifier: Apache-2.0
"""Pixel dropout: single pixels set to zero."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from .draws import Draws
from .parameters import per_image, probability, value_range

__all__ = ["RandPixelDropout", "pixel_dropout"]


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
