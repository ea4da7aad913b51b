# SPDX-License-Identifier: Apache-2.0
"""Codecs without a network.

JPEG 2000: what decades of work on wavelets are worth at the same number of bits. Principal components of blocks: the
best linear code that treats all places alike, as a convolution does.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from .latent_codec import Coded

__all__ = ["BlockPCA", "Jpeg2000", "fit_block_pca"]

GREY_LEVELS = 65535
"""16 bits: the rounding costs nothing beside the code."""

START_OF_DATA = b"\xff\x93"
END_OF_IMAGE = b"\xff\xd9"


class Jpeg2000:
    """Code each slice by itself with the irreversible 9/7 wavelet of JPEG 2000 (OpenJPEG, through Pillow).

    Counted are the bits of the data itself. The headers, which are the same for all slices of one size (about 150
    bytes), do not count, as the weights of a network and the components of a PCA do not count. Neither does the scale
    by which the grey levels of a subject are made 16-bit numbers.

    Args:
        bits_per_pixel: targets; the encoder comes near each, and what it used is reported.

    Raises:
        ValueError: a target that is not positive.

    References:
        Taubman and Marcellin, JPEG2000: image compression fundamentals, standards and practice, 2002.
    """

    def __init__(self, bits_per_pixel: Sequence[float]) -> None:
        if min(bits_per_pixel, default=1.0) <= 0:
            raise ValueError(f"bits per pixel must be positive, got {list(bits_per_pixel)}.")
        self.targets = list(bits_per_pixel)

    def code(self, images: Tensor) -> Iterator[Coded]:
        """See :class:`~scripts.studies.rate_distortion.latent_codec.Codec`; images must not be negative."""
        scale = float(images.max()) / GREY_LEVELS
        grey = (images[:, 0].clamp(min=0) / scale).round().cpu().numpy().astype(np.uint16)
        header = _data(_stream(grey[0], 1.0))[0]
        for target in self.targets:
            # the encoder counts the headers, we do not; its rates are relative to 16 bits per pixel
            ratio = 16 * grey[0].size / (target * grey[0].size + 8 * header)
            streams = [_stream(image, ratio) for image in grey]
            decoded = np.stack([np.asarray(Image.open(io.BytesIO(stream))) for stream in streams])
            restored = torch.from_numpy(decoded.astype(np.float32) * scale)[:, None].to(images)
            bits = 8 * sum(_data(stream)[1] for stream in streams)
            yield Coded(restored, "jpeg2000", target / 8, bits=bits)


def _stream(image: NDArray[np.uint16], ratio: float) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(
        stream, "JPEG2000", no_jp2=True, irreversible=True, quality_mode="rates", quality_layers=[ratio]
    )
    return stream.getvalue()


def _data(stream: bytes) -> tuple[int, int]:
    """Bytes of the headers and of the data between the markers."""
    start = stream.index(START_OF_DATA) + len(START_OF_DATA)
    return start, len(stream) - start - len(END_OF_IMAGE)


class BlockPCA:
    """Coefficients of orthonormal components of each block: the transform that the cosines of JPEG stand in for.

    Args:
        mean: mean of the blocks, shape ``(block_size ** 2,)``.
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
