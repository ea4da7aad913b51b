# SPDX-License-Identifier: Apache-2.0
"""Convolutional autoencoder with two additive skips."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from .blocks import SameConvolution, SameTransposedConvolution, UpBlock, batch_norm, check_input
from .thesis_network import ThesisNetwork

__all__ = ["SkipCAE"]


class SkipCAE(ThesisNetwork):
    """Skip-connection autoencoder of the thesis, 191,041 parameters in 2D (190,369 trainable).

    Three strided convolutions down and three transposed ones up; the normalised, not yet activated features of the
    encoder are ADDED to those of the decoder. The smallest and fastest of the five networks; one output pixel sees
    only 23-31 input pixels, less than the largest blank-out, so it cannot fill one from its surroundings.

    Args:
        spatial_dims: number of spatial axes, 2 or 3.
        in_channels: channels of the input.
        out_channels: channels of the output.

    Raises:
        ValueError: ``spatial_dims`` is neither 2 nor 3.

    References:
        Arnaiz-Rodriguez, Deep convolutional autoencoders for reconstructing magnetic resonance images of the healthy
        brain, MSc thesis, Universitat Oberta de Catalunya, 2021 (``skip_connection_cae``).

    Example:
        >>> SkipCAE()(torch.rand(2, 1, 16, 24)).shape
        torch.Size([2, 1, 16, 24])
    """

    label: ClassVar[str] = "skip CAE"
    thesis_l2_layers: ClassVar[tuple[str, ...]] = ("down1", "down2", "down3")
    transferred_layers: ClassVar[tuple[str, ...]] = ("down1_norm", "down2_norm", "down3_norm")
    keras_layers: ClassVar[Mapping[str, str]] = {
        "down1": "Conv1",
        "down2": "Conv2",
        "down3": "Conv3",
        "up1": "DConv3",
        "up2": "DConv2",
        "up3.conv": "DConv1",
        "head": "DConvCH",
    }

    def __init__(self, spatial_dims: int = 2, in_channels: int = 1, out_channels: int = 1) -> None:
        super().__init__()
        self.down1 = SameConvolution(spatial_dims, in_channels, 32, stride=2)
        self.down1_norm = batch_norm(spatial_dims, 32)
        self.down2 = SameConvolution(spatial_dims, 32, 64, stride=2)
        self.down2_norm = batch_norm(spatial_dims, 64)
        self.down3 = SameConvolution(spatial_dims, 64, 128, stride=2)
        self.down3_norm = batch_norm(spatial_dims, 128)
        self.up1 = SameTransposedConvolution(spatial_dims, 128, 64)
        self.up1_norm = batch_norm(spatial_dims, 64)
        self.up2 = SameTransposedConvolution(spatial_dims, 64, 32)
        self.up2_norm = batch_norm(spatial_dims, 32)
        self.up3 = UpBlock(spatial_dims, 32, 16)
        self.head = SameConvolution(spatial_dims, 16, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Restore ``(B, in_channels, *spatial)``, each size a multiple of 8, to ``(B, out_channels, *spatial)``."""
        if not torch.jit.is_scripting():
            check_input(x)
        half = self.down1_norm(self.down1(x))  # (B, 32, *spatial / 2)
        quarter = self.down2_norm(self.down2(F.relu(half)))  # (B, 64, *spatial / 4)
        latent = F.relu(self.down3_norm(self.down3(F.relu(quarter))))  # (B, 128, *spatial / 8)
        y = F.relu(self.up1_norm(self.up1(latent)) + quarter)
        y = F.relu(self.up2_norm(self.up2(y)) + half)
        y = self.up3(y)  # (B, 16, *spatial)
        return torch.sigmoid(self.head(y))
