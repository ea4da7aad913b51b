# SPDX-License-Identifier: Apache-2.0
"""ShuffleUNet: a U-Net that changes resolution by rearranging pixels into channels and back, for super-resolution."""

from __future__ import annotations

import torch
from monai.networks.blocks import Convolution, SubpixelDownsample, SubpixelUpsample
from torch import Tensor, nn

from .blocks import check_input, check_spatial_dims

__all__ = ["ShuffleUNet"]

PARTS = 4
"""Parallel convolutions by which features are decomposed, as a wavelet transform would; one of them goes down."""


class ShuffleUNet(nn.Module):
    """U-Net without pooling or interpolation, whose skips are sums of decomposed features.

    The input has the resolution of the output already: interpolated between the slices that were measured. ``Differs
    from the paper:`` the output is a correction, added to the input, and its convolution starts at zero.

    Args:
        spatial_dims: number of spatial axes, 2 or 3.
        in_channels: channels of the input; the first ``out_channels`` of them are corrected.
        out_channels: channels of the output.
        features: channels at full resolution, a multiple of 2 ** ``spatial_dims``; they double at each level.
        levels: how many times the resolution is halved.

    Raises:
        ValueError: ``spatial_dims`` is neither 2 nor 3, or ``features`` no such multiple.

    References:
        Chatterjee et al., ShuffleUNet: super resolution of diffusion-weighted MRIs using deep learning, EUSIPCO 2021
        (arXiv:2102.12898). Shi et al., Real-time single image and video super-resolution using an efficient sub-pixel
        convolutional neural network, CVPR 2016.

    Example:
        >>> ShuffleUNet(features=4)(torch.rand(2, 1, 16, 24)).shape
        torch.Size([2, 1, 16, 24])
    """

    def __init__(
        self,
        spatial_dims: int = 2,
        in_channels: int = 1,
        out_channels: int = 1,
        features: int = 64,
        levels: int = 3,
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        corners = 2**spatial_dims
        if features < 1 or features % corners:
            raise ValueError(f"features must be a multiple of {corners}, which are rearranged, got {features}.")

        def layer(channels: int, wanted: int) -> Convolution:
            made = Convolution(spatial_dims, channels, wanted, adn_ordering="A", act="relu")
            nn.init.kaiming_normal_(made.get_parameter("conv.weight"), nonlinearity="relu")
            return made

        def two(channels: int, wanted: int) -> nn.Sequential:
            return nn.Sequential(layer(channels, wanted), layer(wanted, wanted))

        widths = [features * 2**level for level in range(levels)]
        self.out_channels, self.size_multiple = out_channels, 2**levels
        self.stem = two(in_channels, features)
        self.decompose_down = nn.ModuleList(layer(width, PARTS * width) for width in widths)
        self.down = nn.ModuleList(
            nn.Sequential(SubpixelDownsample(spatial_dims, width, width // corners), two(width, 2 * width))
            for width in widths
        )
        widths.reverse()
        self.up = nn.ModuleList(
            SubpixelUpsample(spatial_dims, 2 * width, width, apply_pad_pool=False) for width in widths
        )
        self.decompose_up = nn.ModuleList(layer(width, PARTS * width) for width in widths)
        self.merge = nn.ModuleList(two((1 + PARTS) * width, width) for width in widths)
        self.head = Convolution(spatial_dims, features, out_channels, kernel_size=1, conv_only=True)
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """Sharpen ``(B, in_channels, *spatial)``, sizes multiples of 2 ** ``levels``, to ``(B, out_channels, ...)``."""
        check_input(x, self.size_multiple)
        y = self.stem(x)
        skips = []
        for decompose, down in zip(self.decompose_down, self.down, strict=True):
            parts = decompose(y)
            skips.append((y, parts))
            y = down(parts.chunk(PARTS, dim=1)[-1])
        for up, decompose, merge in zip(self.up, self.decompose_up, self.merge, strict=True):
            before, parts = skips.pop()
            y = merge(torch.cat([before, parts + decompose(up(y))], dim=1))
        return x[:, : self.out_channels] + self.head(y)
