# SPDX-License-Identifier: Apache-2.0
"""Decoder step that doubles the size.

FOLDED: Batch normalisation with the constants of Keras.
"""

from __future__ import annotations

import torch.nn.functional as F
from monai.networks.layers import Norm
from torch import Tensor, nn

from .same_convolution import SameTransposedConvolution

__all__ = ["UpBlock", "batch_norm"]

KERAS_EPSILON = 1e-3
KERAS_MOMENTUM = 0.99


def batch_norm(spatial_dims: int, channels: int, double: bool = False) -> nn.Module:
    """Make a batch normalisation over ``channels`` (PyTorch's momentum is one minus that of Keras).

    Args:
        spatial_dims: number of spatial axes, 2 or 3.
        channels: channels of the input.
        double: make two in a row, as some networks of the thesis were trained (THESIS: "double BN").
    """

    def make() -> nn.Module:
        return Norm["batch", spatial_dims](channels, eps=KERAS_EPSILON, momentum=1.0 - KERAS_MOMENTUM)

    return nn.Sequential(make(), make()) if double else make()


class UpBlock(nn.Module):
    """Transposed convolution of stride 2 - BN - ReLU.

    Args:
        spatial_dims: number of spatial axes, 2 or 3.
        in_channels: channels of the input.
        out_channels: channels of the output.
    """

    def __init__(self, spatial_dims: int, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = SameTransposedConvolution(spatial_dims, in_channels, out_channels)
        self.norm = batch_norm(spatial_dims, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, in_channels, *spatial)`` to ``(B, out_channels, *2 spatial)``."""
        return F.relu(self.norm(self.conv(x)))
