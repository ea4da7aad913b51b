# SPDX-License-Identifier: Apache-2.0
"""Min-max scaling of each image, as the thesis does before and after its augmentation."""

from __future__ import annotations

from torch import Tensor

from .draws import Draws
from .parameters import per_image

__all__ = ["RescaleMinMax", "rescale_min_max"]


def rescale_min_max(images: Tensor) -> Tensor:
    """Map each image's smallest value to 0 and its largest to 1; a constant image becomes 0.

    Args:
        images: shape ``(B, C, *spatial)``.

    Returns:
        Values in ``[0, 1]``, shape of ``images``.
    """
    low = per_image(images.flatten(1).amin(dim=1), images)
    high = per_image(images.flatten(1).amax(dim=1), images)
    span = high - low
    return (images - low) / span.where(span > 0, 1.0)


class RescaleMinMax:
    """:func:`rescale_min_max` as the last step of the thesis's augmentation.

    It changes the gain and the offset of the damaged input but not of the target, so the network has to guess a
    brightness that the image no longer holds. Kept for parity with the thesis; the default corruption does without.
    """

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Scale ``images`` of shape ``(B, C, *spatial)``; no random part."""
        return rescale_min_max(images)
