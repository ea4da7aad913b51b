# SPDX-License-Identifier: Apache-2.0
"""Compressive autoencoder: its bottleneck has fewer values than the image, and nothing bypasses it."""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from monai.networks.blocks import ResidualUnit
from monai.networks.layers import Conv
from torch import Tensor, nn

from .blocks import SameConvolution, SameTransposedConvolution, check_input, check_spatial_dims

__all__ = ["CompressiveAutoencoder", "lowest_frequencies"]

CHANNELS = (32, 64, 128, 128)
"""Features after each halving."""


class CompressiveAutoencoder(nn.Module):
    """Autoencoder whose latent has ``compression`` values for each value of the image: 1/2 to 1/256.

    The latent is the sum of two codes of each block of 8 (or 16) pixels a side: a linear one, initialised with the
    lowest frequencies of the discrete cosine transform (those that JPEG keeps first), and that of a convolutional
    encoder, which sees beyond the block. The decoder is likewise a sum of two. Nothing else connects encoder and
    decoder, so an untrained network is a poor JPEG, and a trained one can be no better than its latent allows. There is
    no batch normalisation: brightness has to pass, and the code of a slice must not depend on other slices.

    Differs from the paper: the rate is set by the number of latent values, not by an entropy term in the loss;
    quantisation comes after the training (docs/studies/compression.md).

    Args:
        spatial_dims: number of spatial axes, 2 or 3.
        in_channels: channels of the input.
        out_channels: channels of the output.
        compression: latent values per input value, less than 1. With three halvings the latent has
            ``compression * in_channels * 8 ** spatial_dims`` channels, which must be a whole number. Where that would
            be less than one (in 2D below 1/64), there is a fourth halving and sizes that are not multiples of 16 are
            padded with zeros; ``compression`` is then exact for the padded size.

    Raises:
        ValueError: ``spatial_dims`` is neither 2 nor 3, or ``compression`` gives no whole number of channels.

    References:
        Theis, Shi, Cunningham and Huszar, Lossy image compression with compressive autoencoders, ICLR 2017
        (arXiv:1703.00395). Wallace, The JPEG still picture compression standard, 1991 (doi:10.1145/103085.103089).

    Example:
        >>> network = CompressiveAutoencoder(compression=1 / 16)
        >>> network.encode(torch.rand(2, 1, 16, 24)).shape
        torch.Size([2, 4, 2, 3])
        >>> network(torch.rand(2, 1, 16, 24)).shape
        torch.Size([2, 1, 16, 24])
    """

    def __init__(
        self, spatial_dims: int = 2, in_channels: int = 1, out_channels: int = 1, compression: float = 1 / 16
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        halvings, self.latent_channels = _layout(spatial_dims, in_channels, compression)
        self.block_size = 2**halvings
        widths = CHANNELS[:halvings]
        self.encoder = nn.Sequential()
        for width, previous in zip(widths, (in_channels, *widths), strict=False):
            self.encoder.extend([SameConvolution(spatial_dims, previous, width, stride=2), nn.ReLU()])
        self.encoder.extend(
            [_residual(spatial_dims, widths[-1]), SameConvolution(spatial_dims, widths[-1], self.latent_channels, 1)]
        )
        self.decoder = nn.Sequential(
            SameConvolution(spatial_dims, self.latent_channels, widths[-1]), _residual(spatial_dims, widths[-1])
        )
        for width, narrower in zip(widths[::-1], (*widths[-2::-1], out_channels), strict=True):
            self.decoder.extend([nn.ReLU(), SameTransposedConvolution(spatial_dims, width, narrower)])
            if narrower == CHANNELS[1]:
                self.decoder.append(_residual(spatial_dims, narrower))
        block = {"kernel_size": self.block_size, "stride": self.block_size, "bias": False}
        self.analysis = Conv["conv", spatial_dims](in_channels, self.latent_channels, **block)
        self.synthesis = Conv["convtrans", spatial_dims](self.latent_channels, out_channels, **block)
        for transform, channels in ((self.analysis, in_channels), (self.synthesis, out_channels)):
            basis = lowest_frequencies(self.block_size, spatial_dims, -(-self.latent_channels // channels))
            weight = torch.einsum("k...,ij->kij...", basis, torch.eye(channels))  # each frequency of each channel
            transform.weight = nn.Parameter(weight.flatten(0, 1)[: self.latent_channels].contiguous())

    def encode(self, x: Tensor) -> Tensor:
        """Encode ``(B, in_channels, *spatial)``, sizes divisible by 8, as ``(B, latent_channels, *latent_spatial)``.

        ``latent_spatial`` is ``spatial / block_size``, rounded up.
        """
        if self.block_size > 8:
            pads: list[int] = []
            for axis in range(x.ndim - 1, 1, -1):
                pads += [0, (self.block_size - x.shape[axis] % self.block_size) % self.block_size]
            x = F.pad(x, pads)
        return self.analysis(x) + self.encoder(x)

    def decode(self, latent: Tensor) -> Tensor:
        """Image ``(B, out_channels, *spatial)`` of a latent; its sizes are ``block_size`` times those of the latent."""
        return self.synthesis(latent) + self.decoder(latent)

    def forward(self, x: Tensor) -> Tensor:
        """Encode and decode ``(B, in_channels, *spatial)``, each size a multiple of 8."""
        if not torch.jit.is_scripting():
            check_input(x)
        y = self.decode(self.encode(x))
        if self.block_size > 8:
            for axis in range(2, x.ndim):
                y = y.narrow(axis, 0, x.shape[axis])
        return y


def lowest_frequencies(block_size: int, spatial_dims: int, count: int) -> Tensor:
    r"""Basis functions of the discrete cosine transform with the lowest frequencies, the constant one first.

    .. math:: \prod_a \sqrt{\tfrac{2 - [k_a = 0]}{n}} \cos \frac{\pi (x_a + 1/2) k_a}{n}

    Args:
        block_size: ``n``, pixels along each axis.
        spatial_dims: number of axes.
        count: number of functions, at most ``block_size ** spatial_dims``.

    Returns:
        Orthonormal functions, shape ``(count, *[block_size] * spatial_dims)``, ordered by the length of ``k``.
    """
    k = torch.arange(block_size, dtype=torch.float64)
    cosine = torch.cos(math.pi * (k[None] + 0.5) * k[:, None] / block_size) * math.sqrt(2 / block_size)
    cosine[0] /= math.sqrt(2)  # (frequency, position)
    frequencies = itertools.product(range(block_size), repeat=spatial_dims)
    lowest = sorted(frequencies, key=lambda frequency: (sum(f * f for f in frequency), frequency))[:count]
    functions = torch.ones(count, *[1] * spatial_dims, dtype=torch.float64)
    for axis, chosen in enumerate(zip(*lowest, strict=True)):
        shape = [block_size if other == axis else 1 for other in range(spatial_dims)]
        functions = functions * cosine[list(chosen)].view(count, *shape)
    return functions.float()


def _layout(spatial_dims: int, in_channels: int, compression: float) -> tuple[int, int]:
    """Number of halvings and of latent channels."""
    for halvings in (3, 4):
        channels = compression * in_channels * 2 ** (halvings * spatial_dims)
        if channels >= 1 and compression < 1 and math.isclose(channels, round(channels), rel_tol=1e-6):
            return halvings, round(channels)
    raise ValueError(
        f"compression must be less than 1 and give a whole number of latent channels, got {compression:g}: take 1/2, "
        "1/4, 1/8, 1/16, 1/32, 1/64, 1/128 or 1/256."
    )


def _residual(spatial_dims: int, channels: int) -> nn.Module:
    return ResidualUnit(
        spatial_dims, channels, channels, subunits=2, adn_ordering="A", act="relu", norm=None, last_conv_only=True
    )
