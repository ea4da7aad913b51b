# SPDX-License-Identifier: Apache-2.0
"""ReconResNet: a residual network with much dropout, for images of undersampled k-space."""

from __future__ import annotations

from typing import ClassVar

import torch
from monai.networks.blocks import Convolution
from monai.networks.layers import SkipConnection
from torch import Tensor, nn

from .blocks import check_input, check_spatial_dims

__all__ = ["ReconResNet"]


class ReconResNet(nn.Module):
    """Residual blocks at a quarter of the resolution, regularised by dropping whole channels.

    It takes the magnitude of the zero-filled image; what was measured is put back by
    :class:`~scripts.inference.data_consistency.DataConsistency`. ``Differs from the paper:`` the output is a correction
    that is added to the input, whose last convolution starts at zero, instead of an image through a sigmoid (here
    voxels may be brighter than 1), and borders are padded with zeros, not mirrored.

    Args:
        spatial_dims: number of spatial axes, 2 or 3.
        in_channels: channels of the input; the first ``out_channels`` of them are corrected.
        out_channels: channels of the output.
        features: channels at full resolution; there are four times as many in the residual blocks.
        blocks: number of residual blocks.
        dropout: probability with which a block drops a channel in training.

    Raises:
        ValueError: ``spatial_dims`` is neither 2 nor 3.

    References:
        Chatterjee et al., ReconResNet: regularised residual learning for MR image reconstruction of undersampled
        Cartesian and radial data, Computers in Biology and Medicine 143, 2022 (arXiv:2103.09203).

    Example:
        >>> ReconResNet(features=4, blocks=1)(torch.rand(2, 1, 16, 20)).shape
        torch.Size([2, 1, 16, 20])
    """

    size_multiple: ClassVar[int] = 4

    def __init__(
        self,
        spatial_dims: int = 2,
        in_channels: int = 1,
        out_channels: int = 1,
        features: int = 64,
        blocks: int = 14,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)

        def layer(channels: int, wanted: int, **arguments: object) -> Convolution:
            return Convolution(spatial_dims, channels, wanted, **{"adn_ordering": "NA", **arguments})  # type: ignore[arg-type]

        wide = 4 * features
        self.out_channels = out_channels
        self.encoder = nn.Sequential(
            layer(in_channels, features, kernel_size=7),
            layer(features, 2 * features, strides=2),
            layer(2 * features, wide, strides=2),
        )
        self.blocks = nn.Sequential(
            *[
                SkipConnection(
                    nn.Sequential(
                        layer(wide, wide, adn_ordering="NAD", dropout=dropout, dropout_dim=spatial_dims),
                        layer(wide, wide, adn_ordering="N"),
                    ),
                    mode="add",
                )
                for _ in range(blocks)
            ]
        )
        self.decoder = nn.Sequential(
            layer(wide, 2 * features, strides=2, is_transposed=True),
            layer(2 * features, features, strides=2, is_transposed=True),
        )
        self.head = layer(features, out_channels, kernel_size=7, conv_only=True)
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """Correct ``(B, in_channels, *spatial)``, each size a multiple of 4, to ``(B, out_channels, *spatial)``."""
        if not torch.jit.is_scripting():
            check_input(x, 4)
        return x[:, : self.out_channels] + self.head(self.decoder(self.blocks(self.encoder(x))))
