# SPDX-License-Identifier: Apache-2.0
"""What a codec is; and autoencoders, linear or not, as codecs: the latent is all that is kept.

From latent values to bits it takes a uniform quantisation; the length of an entropy code is counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Autoencoder", "Codec", "Coded", "LatentCodec", "UniformQuantiser", "fit_latent_codec", "fit_quantiser"]


@dataclass(frozen=True)
class Coded:
    """Images after coding and decoding, at one rate.

    Attributes:
        images: decoded, shape ``(N, 1, H, W)``.
        codec: name of the codec.
        compression: nominal values per pixel; of a codec without values, an eighth of the bits per pixel asked for.
        values: number of values passed on in all; NaN where the codec has no values.
        bits_per_value: bits of a quantised value; NaN for values as they are, in floating point.
        bits: length of the code of all images together; NaN where the values are not coded.
    """

    images: Tensor
    codec: str
    compression: float
    values: float = math.nan
    bits_per_value: float = math.nan
    bits: float = math.nan


class Codec(Protocol):
    """A way to code images, at one or several rates."""

    def code(self, images: Tensor) -> Iterator[Coded]:
        """Code and decode clean ``images`` of shape ``(N, 1, H, W)``, each size a multiple of 8."""
        ...


@dataclass(frozen=True)
class UniformQuantiser:
    """Uniform scalar quantisation of each channel, and a static entropy code for its symbols.

    Attributes:
        low: smallest value that has a symbol of its own, per channel, shape ``(C,)``.
        step: from a symbol's value to the next one's, shape ``(C,)``; 0 for a channel that never changes.
        lengths: bits of each symbol, shape ``(C, 2 ** bits_per_value)``.
    """

    low: Tensor
    step: Tensor
    lengths: Tensor

    def symbols(self, latents: Tensor) -> Tensor:
        """Nearest symbols ``(N, C, *latent_spatial)`` of latents of that shape; what lies outside is clipped."""
        low, step = (_along_channels(v, latents) for v in (self.low, self.step))
        nearest = torch.round((latents - low) / step.where(step > 0, 1.0))
        return nearest.clamp(0, self.lengths.shape[1] - 1).long()

    def values(self, symbols: Tensor) -> Tensor:
        """Latents that the symbols stand for, in the shape of ``symbols``."""
        return _along_channels(self.low, symbols) + _along_channels(self.step, symbols) * symbols

    def bits(self, symbols: Tensor) -> float:
        """Length of the code of all symbols together, in bits."""
        channels = torch.arange(len(self.low), device=symbols.device)
        return float(self.lengths[_along_channels(channels, symbols), symbols].double().sum())


def fit_quantiser(latents: Tensor, bits_per_value: int) -> UniformQuantiser:
    r"""Set the range and the code of each channel from the latents of training images.

    The ``2 ** bits_per_value`` symbols are evenly spaced from the channel's smallest to its largest value. A symbol
    that was seen ``n`` times among ``N`` costs

    .. math:: -\log_2 \frac{n + 1/2}{N + 2^{b} / 2}

    bits: what an arithmetic coder with this fixed table needs, to a few bits per image. The table comes from other
    images than those that are coded, so the length is one that can be had, not the entropy of the test images. It
    is a plain code: no symbol is predicted from its neighbours.

    Args:
        latents: shape ``(N, C, *latent_spatial)``.
        bits_per_value: 1 to 12.

    Raises:
        ValueError: ``bits_per_value`` is out of range.

    References:
        Krichevsky and Trofimov, The performance of universal encoding, IEEE Trans. Information Theory 27(2), 1981
        (doi:10.1109/TIT.1981.1056331), for the 1/2.
    """
    if not 1 <= bits_per_value <= 12:
        raise ValueError(f"a value has 1 to 12 bits, got {bits_per_value}.")
    levels = 2**bits_per_value
    low, high = latents.transpose(0, 1).flatten(1).aminmax(dim=1)
    uncounted = UniformQuantiser(low, (high - low) / (levels - 1), torch.zeros(len(low), levels, device=low.device))
    symbols = uncounted.symbols(latents).transpose(0, 1).flatten(1)  # (C, N * latent_spatial)
    counts = torch.stack([torch.bincount(of_channel, minlength=levels) for of_channel in symbols])
    lengths = -torch.log2((counts + 0.5) / (symbols.shape[1] + levels / 2))
    return replace(uncounted, lengths=lengths)


def _along_channels(values: Tensor, like: Tensor) -> Tensor:
    return values.view(-1, *[1] * (like.ndim - 2))


@runtime_checkable
class Autoencoder(Protocol):
    """Anything with an encoder and a decoder."""

    def encode(self, images: Tensor) -> Tensor:
        """Latents ``(N, C, *latent_spatial)`` of images ``(N, 1, H, W)``."""
        ...

    def decode(self, latent: Tensor) -> Tensor:
        """Images of latents; of another size than the coded ones where those were padded or cut."""
        ...


@dataclass(frozen=True)
class LatentCodec:
    """Code images by their latents: once as they are, and once for each quantiser.

    Args:
        autoencoder: autoencoder in evaluation mode.
        name: name of the codec.
        compression: nominal latent values per pixel.
        quantisers: quantisers by bits per value, fitted to the latents of training images.
        batch_size: images at a time.
        centred: whether the autoencoder pads and cuts around the centre; otherwise at the end of each axis.
    """

    autoencoder: Autoencoder
    name: str
    compression: float
    quantisers: Mapping[int, UniformQuantiser]
    batch_size: int = 32
    centred: bool = False

    @torch.inference_mode()
    def code(self, images: Tensor) -> Iterator[Coded]:
        """See :class:`Codec`."""
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
        autoencoder: autoencoder in evaluation mode.
        name: name of the codec.
        compression: nominal latent values per pixel.
        images: training images, shape ``(N, 1, H, W)``.
        bits: per value, of each quantiser.
        batch_size: images at a time.
        centred: see :class:`LatentCodec`.
    """
    latents = torch.cat([autoencoder.encode(batch) for batch in images.split(batch_size)])
    quantisers = {bits_per_value: fit_quantiser(latents, bits_per_value) for bits_per_value in bits}
    return LatentCodec(autoencoder, name, compression, quantisers, batch_size, centred)
