# SPDX-License-Identifier: Apache-2.0
"""Autoencoders, linear or not, as codecs: the latent is all that is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

from .codec import Coded
from .quantiser import UniformQuantiser, fit_quantiser

__all__ = ["Autoencoder", "LatentCodec", "fit_latent_codec"]


@runtime_checkable
class Autoencoder(Protocol):
    """Anything with an encoder and a decoder."""

    def encode(self, images: Tensor) -> Tensor:
        """Latents ``(N, C, *latent_spatial)`` of images ``(N, 1, H, W)``."""
        ...

    def decode(self, latent: Tensor) -> Tensor:
        """Images of latents; of another size than the coded ones where those were padded or cut."""
        ...


class LatentCodec:
    """Code images by their latents: once as they are, and once for each quantiser.

    Args:
        autoencoder: in evaluation mode.
        name: of the codec.
        compression: nominal latent values per pixel.
        quantisers: by bits per value, fitted to the latents of training images.
        batch_size: images at a time.
        centred: whether the autoencoder pads and cuts around the centre; otherwise at the end of each axis.
    """

    def __init__(
        self,
        autoencoder: Autoencoder,
        name: str,
        compression: float,
        quantisers: Mapping[int, UniformQuantiser],
        batch_size: int = 32,
        centred: bool = False,
    ) -> None:
        self.autoencoder = autoencoder
        self.name = name
        self.compression = compression
        self.quantisers = dict(quantisers)
        self.batch_size = batch_size
        self.centred = centred

    @torch.inference_mode()
    def code(self, images: Tensor) -> Iterator[Coded]:
        """See :class:`~scripts.coding.codec.Codec`."""
        latents = torch.cat([self.autoencoder.encode(batch) for batch in images.split(self.batch_size)])
        exact = Coded(self._decode(latents, images), self.name, self.compression, latents.numel())
        yield exact
        for bits_per_value, quantiser in self.quantisers.items():
            symbols = quantiser.symbols(latents)
            decoded = self._decode(quantiser.values(symbols), images)
            yield replace(exact, images=decoded, bits_per_value=bits_per_value, bits=quantiser.bits(symbols))

    def _decode(self, latents: Tensor, images: Tensor) -> Tensor:
        decoded = torch.cat([self.autoencoder.decode(batch) for batch in latents.split(self.batch_size)])
        rows, columns = (wanted - size for wanted, size in zip(images.shape[2:], decoded.shape[2:], strict=True))
        top, left = (rows // 2, columns // 2) if self.centred else (0, 0)
        return F.pad(decoded, (left, columns - left, top, rows - top))


@torch.inference_mode()
def fit_latent_codec(
    autoencoder: Autoencoder,
    name: str,
    compression: float,
    images: Tensor,
    bits: Sequence[int],
    batch_size: int = 32,
    centred: bool = False,
) -> LatentCodec:
    """Set up a codec with the quantisers for the latents of training images.

    Args:
        autoencoder: in evaluation mode.
        name: of the codec.
        compression: nominal latent values per pixel.
        images: of the training, shape ``(N, 1, H, W)``.
        bits: per value, of each quantiser.
        batch_size: images at a time.
        centred: see :class:`LatentCodec`.
    """
    latents = torch.cat([autoencoder.encode(batch) for batch in images.split(batch_size)])
    quantisers = {bits_per_value: fit_quantiser(latents, bits_per_value) for bits_per_value in bits}
    return LatentCodec(autoencoder, name, compression, quantisers, batch_size, centred)
