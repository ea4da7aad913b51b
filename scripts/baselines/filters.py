# SPDX-License-Identifier: Apache-2.0
"""The simplest baselines: the unchanged input, a median filter, and biharmonic inpainting.

The unchanged input shows how bad the damage is. The median filter suits single lost pixels and fails on larger damage.
Biharmonic inpainting fills a hole smoothly from its border; it is given the mask of the holes.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from skimage.restoration import inpaint_biharmonic
from torch import Tensor

__all__ = ["Biharmonic", "identity", "median"]


def identity(images: Tensor) -> Tensor:
    """Return the images unchanged, any shape."""
    return images


def median(images: Tensor) -> Tensor:
    """Replace each pixel by the median of its 3 x 3 neighbourhood; the border pixels are repeated outwards.

    Equal to ``scipy.ndimage.median_filter(image, 3, mode="nearest")``. MONAI's ``median_filter`` pads with zeros, which
    would darken the border of a head that the image cuts.

    Args:
        images: shape ``(N, 1, H, W)``.

    Returns:
        The filtered images, shape of ``images``.

    Example:
        >>> import torch
        >>> image = torch.ones(1, 1, 5, 5)
        >>> image[..., 2, 2] = 0.0
        >>> bool((median(image) == 1).all())
        True
    """
    neighbours = F.pad(images, (1, 1, 1, 1), mode="replicate").unfold(2, 3, 1).unfold(3, 3, 1)  # (N, 1, H, W, 3, 3)
    return neighbours.flatten(-2).median(dim=-1).values


class Biharmonic:
    """Fill the holes of each slice by biharmonic functions; pixels outside of them stay unchanged.

    It is given the holes, which a network has to find by itself, but it has seen no head: what a network puts into a
    hole is worth something only where it beats this. The system of equations of a hole of 38 x 38 pixels takes 5 ms.

    References:
        Damelin and Hoang, On surface completion and image inpainting by biharmonic functions: numerical aspects, 2018
        (doi:10.1155/2018/3950312), as in scikit-image.
    """

    needs_holes: ClassVar[bool] = True
    """The mask of the holes is passed too, and damage without holes is skipped."""

    def __call__(self, images: Tensor, holes: Tensor) -> Tensor:
        """Fill holes.

        Args:
            images: shape ``(N, 1, H, W)``, any device; computed on the CPU in double precision.
            holes: boolean mask, shape of ``images``.

        Returns:
            The filled images, shape, dtype and device of ``images``; a slice without holes, or with nothing else, is
            unchanged.
        """
        slices, masks = (values.cpu().numpy()[:, 0] for values in (images.double(), holes))
        filled = np.stack([_filled(image, mask) for image, mask in zip(slices, masks, strict=True)])
        return torch.from_numpy(filled)[:, None].to(images)


def _filled(image: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    if not mask.any() or mask.all():
        return image
    return inpaint_biharmonic(image, mask, split_into_regions=True)
