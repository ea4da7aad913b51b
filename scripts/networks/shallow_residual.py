# SPDX-License-Identifier: Apache-2.0
"""Shallow residual autoencoders of the thesis, without skips: original and full pre-activation blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import PreactivationBlock, SameConvolution, UpBlock, batch_norm, check_input
from .thesis_network import KERAS_DECODER, ThesisNetwork, keras_residual_encoder

__all__ = ["OriginalResidualBlock", "ShallowResidualOriginal", "ShallowResidualPreactivation"]


class OriginalResidualBlock(nn.Module):
    """Residual block convolution - BN - ReLU - convolution - BN, added to a shortcut of the input, then ReLU.

    The shortcut is a 1x1 convolution of stride 2, without normalisation, where the block halves the size.

    Args:
        spatial_dims: number of spatial axes, 2 or 3.
        in_channels: channels of the input; equal to ``out_channels`` where ``stride`` is 1.
        out_channels: channels of the output.
        stride: stride of the first convolution and of the shortcut.
        double_norm: two batch normalisations in a row after the first convolution.

    References:
        He et al., Deep residual learning for image recognition, CVPR 2016 (arXiv:1512.03385).
    """

    def __init__(
        self, spatial_dims: int, in_channels: int, out_channels: int, stride: int = 1, double_norm: bool = False
    ) -> None:
        super().__init__()
        self.conv1 = SameConvolution(spatial_dims, in_channels, out_channels, stride=stride)
        self.norm1 = batch_norm(spatial_dims, out_channels, double_norm)
        self.conv2 = SameConvolution(spatial_dims, out_channels, out_channels)
        self.norm2 = batch_norm(spatial_dims, out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1:
            self.shortcut = SameConvolution(spatial_dims, in_channels, out_channels, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, in_channels, *spatial)`` to ``(B, out_channels, *spatial / stride)``."""
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return F.relu(y + self.shortcut(x))  # in this order, torch.export can infer the valid sizes


class _ShallowResidual(ThesisNetwork):
    """Encoder of three residual blocks, decoder of three transposed convolutions, nothing between but the latent."""

    block: ClassVar[type[nn.Module]]
    thesis_l2_layers: ClassVar[tuple[str, ...]] = ("stem", "down1", "down2", "down3", "head")
    transferred_layers: ClassVar[tuple[str, ...]] = ("down3",)
    published_arguments: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"double_norm": True})

    def __init__(
        self, spatial_dims: int = 2, in_channels: int = 1, out_channels: int = 1, double_norm: bool = False
    ) -> None:
        super().__init__()
        self.stem = SameConvolution(spatial_dims, in_channels, 32, stride=2)
        self.down1 = self.block(spatial_dims, 32, 64, stride=2, double_norm=double_norm)
        self.down2 = self.block(spatial_dims, 64, 64, double_norm=double_norm)
        self.down3 = self.block(spatial_dims, 64, 128, stride=2, double_norm=double_norm)
        self.up1 = UpBlock(spatial_dims, 128, 64)
        self.up2 = UpBlock(spatial_dims, 64, 32)
        self.up3 = UpBlock(spatial_dims, 32, 16)
        self.head = SameConvolution(spatial_dims, 16, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Restore ``(B, in_channels, *spatial)``, each size a multiple of 8, to ``(B, out_channels, *spatial)``."""
        if not torch.jit.is_scripting():
            check_input(x)
        y = self.stem(x)  # (B, 32, *spatial / 2)
        y = self.down2(self.down1(y))  # (B, 64, *spatial / 4)
        latent = self.down3(y)  # (B, 128, *spatial / 8)
        y = self.up3(self.up2(self.up1(latent)))  # (B, 16, *spatial)
        return torch.sigmoid(self.head(y))


class ShallowResidualOriginal(_ShallowResidual):
    """Shallow residual autoencoder of the thesis with original blocks, 460,993 parameters in 2D (459,745 trainable).

    Like ``ShallowResidualPreactivation``, but each block activates its sum, so the latent is never negative.

    Args:
        spatial_dims: number of spatial axes, 2 or 3.
        in_channels: channels of the input.
        out_channels: channels of the output.
        double_norm: two batch normalisations in a row after the first convolution of each residual block, as the
            published weights were trained: 462,017 parameters in 2D (460,257 trainable).

    Raises:
        ValueError: ``spatial_dims`` is neither 2 nor 3.

    References:
        Arnaiz-Rodriguez, Deep convolutional autoencoders for reconstructing magnetic resonance images of the healthy
        brain, MSc thesis, Universitat Oberta de Catalunya, 2021 (``residual_cae`` with ``original`` blocks).

    Example:
        >>> ShallowResidualOriginal()(torch.rand(2, 1, 16, 24)).shape
        torch.Size([2, 1, 16, 24])
    """

    block: ClassVar[type[nn.Module]] = OriginalResidualBlock
    label: ClassVar[str] = "shallow residual, original"
    keras_layers: ClassVar[Mapping[str, str]] = keras_residual_encoder("RB") | KERAS_DECODER | {"head": "conv2d*"}


class ShallowResidualPreactivation(_ShallowResidual):
    """Shallow residual autoencoder of the thesis, pre-activation blocks, 460,609 parameters in 2D (459,553 trainable).

    The encoder of the Residual U-Net with a decoder that sees only the latent: unbounded values, 128 x 1/8 x 1/8 = 2 of
    them per pixel, so the network expands rather than compresses.

    Args:
        spatial_dims: number of spatial axes, 2 or 3.
        in_channels: channels of the input.
        out_channels: channels of the output.
        double_norm: two batch normalisations in a row in each residual block, as the published weights without
            augmentation and without L2 were trained: 462,273 parameters in 2D (460,385 trainable).

    Raises:
        ValueError: ``spatial_dims`` is neither 2 nor 3.

    References:
        Arnaiz-Rodriguez, Deep convolutional autoencoders for reconstructing magnetic resonance images of the healthy
        brain, MSc thesis, Universitat Oberta de Catalunya, 2021 (``residual_cae`` with ``full_pre`` blocks).

    Example:
        >>> ShallowResidualPreactivation()(torch.rand(2, 1, 16, 24)).shape
        torch.Size([2, 1, 16, 24])
    """

    block: ClassVar[type[nn.Module]] = PreactivationBlock
    label: ClassVar[str] = "shallow residual, pre-activation"
    keras_layers: ClassVar[Mapping[str, str]] = keras_residual_encoder("FP_RB") | KERAS_DECODER | {"head": "conv2d*"}
