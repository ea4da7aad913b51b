# SPDX-License-Identifier: Apache-2.0
"""From latent values to bits: uniform quantisation, and the length of an entropy code."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

__all__ = ["UniformQuantiser", "fit_quantiser"]


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
