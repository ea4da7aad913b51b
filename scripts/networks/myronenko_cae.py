# SPDX-License-Identifier: Apache-2.0
"""Residual autoencoder after Myronenko, without skips."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from monai.networks.layers import Dropout
from torch import Tensor

from .blocks import PreactivationBlock, SameConvolution, UpBlock, check_input
from .thesis_network import KERAS_DECODER, ThesisNetwork

__all__ = ["MyronenkoCAE"]


class MyronenkoCAE(ThesisNetwork):
    """Autoencoder of the thesis after Myronenko, 991,041 parameters in 2D (989,345 trainable).

    Pre-activation blocks, each with a 1x1 convolution as shortcut, at full, half and quarter size, with strided
    convolutions between them: 5 to 16 times the multiplications of the other four. Differs from Myronenko's paper, as
    the thesis does: batch instead of group normalisation, no variational branch, one level less.

    Args:
        spatial_dims: number of spatial axes, 2 or 3.
        in_channels: channels of the input.
        out_channels: channels of the output.
        dropout: probability that a whole feature map of the first convolution is dropped, while training.

    Raises:
        ValueError: ``spatial_dims`` is neither 2 nor 3.

    References:
        Arnaiz-Rodriguez, Deep convolutional autoencoders for reconstructing magnetic resonance images of the healthy
        brain, MSc thesis, Universitat Oberta de Catalunya, 2021 (``residual_cae_myronenko``).
        Myronenko, 3D MRI brain tumor segmentation using autoencoder regularization, 2018 (arXiv:1810.11654).

    Example:
        >>> MyronenkoCAE()(torch.rand(2, 1, 16, 24)).shape
        torch.Size([2, 1, 16, 24])
    """

    label: ClassVar[str] = "Myronenko CAE"
    thesis_l2_layers: ClassVar[tuple[str, ...]] = (
        "block1", "down1", "block2a", "block2b", "down2", "block3a", "block3b", "down3",
    )  # fmt: skip
    transferred_layers: ClassVar[tuple[str, ...]] = ("down3",)
    keras_layers: ClassVar[Mapping[str, str]] = {
        "stem": "Conv1",
        **{f"down{i}": f"Conv_Downsample_{i}" for i in (1, 2, 3)},
        **{
            f"block{block}.{here}": there.format(name)
            for block, name in {"1": "32_1", "2a": "64_1", "2b": "64_2", "3a": "128_1", "3b": "128_2"}.items()
            for here, there in {"conv1": "GB_{}_C1", "conv2": "GB_{}_C2", "shortcut": "conv2d*"}.items()
        },
        **KERAS_DECODER,
        "head": "OUTPUT",
    }

    def __init__(
        self, spatial_dims: int = 2, in_channels: int = 1, out_channels: int = 1, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.stem = SameConvolution(spatial_dims, in_channels, 32)
        self.dropout = Dropout["dropout", spatial_dims](dropout)
        self.block1 = PreactivationBlock(spatial_dims, 32, 32, projection=True)
        self.down1 = SameConvolution(spatial_dims, 32, 32, stride=2)
        self.block2a = PreactivationBlock(spatial_dims, 32, 64, projection=True)
        self.block2b = PreactivationBlock(spatial_dims, 64, 64, projection=True)
        self.down2 = SameConvolution(spatial_dims, 64, 64, stride=2)
        self.block3a = PreactivationBlock(spatial_dims, 64, 128, projection=True)
        self.block3b = PreactivationBlock(spatial_dims, 128, 128, projection=True)
        self.down3 = SameConvolution(spatial_dims, 128, 128, stride=2)
        self.up1 = UpBlock(spatial_dims, 128, 64)
        self.up2 = UpBlock(spatial_dims, 64, 32)
        self.up3 = UpBlock(spatial_dims, 32, 16)
        self.head = SameConvolution(spatial_dims, 16, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Restore ``(B, in_channels, *spatial)``, each size a multiple of 8, to ``(B, out_channels, *spatial)``."""
        if not torch.jit.is_scripting():
            check_input(x)
        y = self.block1(self.dropout(self.stem(x)))  # (B, 32, *spatial)
        y = self.block2b(self.block2a(self.down1(y)))  # (B, 64, *spatial / 2)
        y = self.block3b(self.block3a(self.down2(y)))  # (B, 128, *spatial / 4)
        latent = self.down3(y)  # (B, 128, *spatial / 8)
        y = self.up3(self.up2(self.up1(latent)))  # (B, 16, *spatial)
        return torch.sigmoid(self.head(y))
