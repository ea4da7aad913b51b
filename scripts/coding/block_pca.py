# SPDX-License-Identifier: Apache-2.0
"""Principal components of blocks: the best linear code that treats all places alike, as a convolution does."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["BlockPCA", "fit_block_pca"]


class BlockPCA:
    """Coefficients of orthonormal components of each block: the transform that the cosines of JPEG stand in for.

    Args:
        mean: of the blocks, shape ``(block_size ** 2,)``.
        components: orthonormal rows, the strongest first, shape ``(K, block_size ** 2)``.
    """

    def __init__(self, mean: Tensor, components: Tensor) -> None:
        self.mean = mean
        self.components = components
        self.block_size = round(len(mean) ** 0.5)

    def encode(self, images: Tensor) -> Tensor:
        """Coefficients ``(N, K, H / block_size, W / block_size)`` of images ``(N, 1, H, W)``."""
        blocks = F.pixel_unshuffle(images, self.block_size) - self.mean[:, None, None]
        return torch.einsum("kc,nchw->nkhw", self.components, blocks)

    def decode(self, latent: Tensor) -> Tensor:
        """Images ``(N, 1, H, W)`` of coefficients."""
        blocks = torch.einsum("kc,nkhw->nchw", self.components, latent) + self.mean[:, None, None]
        return F.pixel_shuffle(blocks, self.block_size)


def fit_block_pca(images: Tensor, num_components: int, block_size: int = 8) -> BlockPCA:
    """Find the principal components of the blocks of training images.

    Args:
        images: shape ``(N, 1, H, W)``, each size a multiple of ``block_size``.
        num_components: per block, at most ``block_size ** 2``.
        block_size: side of a block in pixels.

    Raises:
        ValueError: more components than pixels in a block, or none.
    """
    if not 0 < num_components <= block_size**2:
        raise ValueError(
            f"blocks of {block_size} x {block_size} pixels have 1 to {block_size**2} principal components, "
            f"{num_components} were asked for."
        )
    blocks = F.pixel_unshuffle(images, block_size).movedim(1, -1).flatten(0, -2)  # (blocks, pixels)
    mean = blocks.mean(dim=0)
    strongest = torch.linalg.eigh(torch.cov(blocks.double().T))[1].flip(1)[:, :num_components]
    return BlockPCA(mean, strongest.T.to(images.dtype).contiguous())
