# SPDX-License-Identifier: Apache-2.0
"""Classical baselines: the unchanged input, median filter, non-local means and biharmonic inpainting.

The unchanged input shows how bad the damage is. The median filter suits single lost pixels and fails on larger damage.
Non-local means follows the noise that it estimates itself. Biharmonic inpainting is given the mask of the holes and
fills them smoothly from their border.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from skimage.restoration import denoise_nl_means, inpaint_biharmonic
from torch import Tensor

__all__ = ["Biharmonic", "NonLocalMeans", "identity", "median", "noise_level"]

GAUSSIAN_MAD = 0.6744897501960817
"""Median absolute deviation of the standard normal distribution."""


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


def noise_level(image: NDArray[np.floating], darkest: float = 0.25) -> float:
    """Estimate the standard deviation of white Gaussian noise in a head image.

    The median absolute diagonal Haar coefficient, divided by 0.6745, of the darkest blocks of 2 x 2 pixels: in the air
    there is noise and nothing else, while at 2 mm the anatomy's own detail adds 50 % and more to an estimate from the
    whole image (``skimage.restoration.estimate_sigma``). Blocks of exact zeros (holes, masked background) do not count.

    Args:
        image: shape ``(H, W)``, both at least 2.
        darkest: share of the blocks that counts, in (0, 1].

    Returns:
        Standard deviation in the unit of the image; 0 for an image without any detail.

    References:
        Donoho and Johnstone, Ideal spatial adaptation by wavelet shrinkage, Biometrika 81(3), 1994
        (doi:10.1093/biomet/81.3.425).
    """
    rows, columns = (size - size % 2 for size in image.shape)
    even = image[:rows, :columns]
    blocks = np.stack([even[::2, ::2], even[1::2, ::2], even[::2, 1::2], even[1::2, 1::2]])
    blocks = blocks[:, (blocks != 0).any(axis=0)]  # (4, blocks)
    if blocks.size == 0:
        return 0.0
    brightness = blocks.mean(axis=0)
    detail = np.abs(blocks[0] - blocks[1] - blocks[2] + blocks[3]) / 2
    return float(np.median(detail[brightness <= np.quantile(brightness, darkest)])) / GAUSSIAN_MAD


class NonLocalMeans:
    """Average pixels whose surroundings look alike, slice by slice, with the filter strength set by the noise found.

    The defaults are the best of those tried on training subjects of IXI at 2 mm (noise 0.01 to 0.08; patches of 3, 5
    and 7 pixels, strength 0.5 to 1.2); 0.8 is also what scikit-image recommends.

    Args:
        patch_size: side of the compared patches in pixels.
        patch_distance: radius of the search in pixels.
        strength: the cut-off ``h`` as a multiple of the estimated noise.

    Raises:
        ValueError: a parameter that is not positive.

    References:
        Buades, Coll and Morel, A non-local algorithm for image denoising, CVPR 2005 (doi:10.1109/CVPR.2005.38);
        the fast form of Darbon et al., ISBI 2008 (doi:10.1109/ISBI.2008.4541250).
    """

    def __init__(self, patch_size: int = 5, patch_distance: int = 5, strength: float = 0.8) -> None:
        if min(patch_size, patch_distance, strength) <= 0:
            raise ValueError(
                "patch_size, patch_distance and strength must be positive, "
                f"got {patch_size}, {patch_distance} and {strength}."
            )
        self.patch_size = patch_size
        self.patch_distance = patch_distance
        self.strength = strength

    def __call__(self, images: Tensor) -> Tensor:
        """Filter images.

        Args:
            images: shape ``(N, 1, H, W)``, any device; computed on the CPU.

        Returns:
            The filtered images, shape, dtype and device of ``images``; a slice without noise is unchanged.
        """
        slices = images.detach().cpu().float().numpy()[:, 0]
        filtered = np.stack([self._filter(image) for image in slices])
        return torch.from_numpy(filtered)[:, None].to(images)

    def _filter(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        sigma = noise_level(image)
        if sigma == 0:
            return image
        return denoise_nl_means(
            image,
            patch_size=self.patch_size,
            patch_distance=self.patch_distance,
            h=self.strength * sigma,
            sigma=sigma,
            fast_mode=True,
        )
