# SPDX-License-Identifier: Apache-2.0
"""Residual U-Net: pre-activation residual encoder, decoder with two concatenated skips."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from .blocks import PreactivationBlock, SameConvolution, UpBlock, check_input
from .thesis_network import KERAS_DECODER, ThesisNetwork, keras_residual_encoder

__all__ = ["ResidualUNet"]


class ResidualUNet(ThesisNetwork):
    """Residual U-Net of the thesis, 483,649 parameters in 2D (482,593 trainable).

    Three residual blocks reduce the image to 1/8 of its size with 128 channels; three transposed convolutions bring it
    back, of which the second and third also see the encoder's features of the same size. It is the best of the five
    published networks on damaged images. Its skips carry 14 times as many values as the image: it restores, it does not
    compress.

    Args:
        spatial_dims: number of spatial axes, 2 or 3.
        in_channels: channels of the input.
        out_channels: channels of the output.
        residual_output: whether the network predicts a correction that is added to the input, instead of the image
            through a sigmoid. Differs from the thesis: the output is then unbounded, and the last convolution starts at
            zero, so that an untrained network returns its input.

    Raises:
        ValueError: ``spatial_dims`` is neither 2 nor 3, or ``residual_output`` with different numbers of channels.

    References:
        Arnaiz-Rodriguez, Deep convolutional autoencoders for reconstructing magnetic resonance images of the healthy
        brain, MSc thesis, Universitat Oberta de Catalunya, 2021 (``res_skip_cae`` with full pre-activation).

    Example:
        >>> ResidualUNet()(torch.rand(2, 1, 16, 24)).shape
        torch.Size([2, 1, 16, 24])
    """

    label: ClassVar[str] = "Residual U-Net"
    thesis_l2_layers: ClassVar[tuple[str, ...]] = ("stem", "down1", "down2", "down3", "head")
    transferred_layers: ClassVar[tuple[str, ...]] = ("stem", "down2", "down3")
    keras_layers: ClassVar[Mapping[str, str]] = keras_residual_encoder("FP_RB") | KERAS_DECODER | {"head": "conv2d*"}

    def __init__(
        self, spatial_dims: int = 2, in_channels: int = 1, out_channels: int = 1, residual_output: bool = False
    ) -> None:
        super().__init__()
        if residual_output and in_channels != out_channels:
            raise ValueError(
                f"residual_output adds the output to the input, so their channels must be equal, got {in_channels} and "
                f"{out_channels}. Set out_channels={in_channels} or residual_output=False."
            )
        self.residual_output = residual_output
        self.stem = SameConvolution(spatial_dims, in_channels, 32, stride=2)
        self.down1 = PreactivationBlock(spatial_dims, 32, 64, stride=2)
        self.down2 = PreactivationBlock(spatial_dims, 64, 64)
        self.down3 = PreactivationBlock(spatial_dims, 64, 128, stride=2)
        self.up1 = UpBlock(spatial_dims, 128, 64)
        self.up2 = UpBlock(spatial_dims, 64 + 64, 32)
        self.up3 = UpBlock(spatial_dims, 32 + 32, 16)
        self.head = SameConvolution(spatial_dims, 16, out_channels)
        if residual_output:
            nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Restore ``(B, in_channels, *spatial)``, each size a multiple of 8, to ``(B, out_channels, *spatial)``."""
        if not torch.jit.is_scripting():
            check_input(x)
        half = self.stem(x)  # (B, 32, *spatial / 2)
        quarter = self.down2(self.down1(half))  # (B, 64, *spatial / 4)
        latent = self.down3(quarter)  # (B, 128, *spatial / 8)
        y = self.up1(latent)
        y = self.up2(torch.cat([y, quarter], dim=1))
        y = self.up3(torch.cat([y, half], dim=1))
        y = self.head(y)
        return x + y if self.residual_output else torch.sigmoid(y)
