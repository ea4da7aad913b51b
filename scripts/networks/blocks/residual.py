# SPDX-License-Identifier: Apache-2.0
"""Residual block with full pre-activation."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .same_convolution import SameConvolution
from .up_block import batch_norm

__all__ = ["PreactivationBlock"]


class PreactivationBlock(nn.Module):
    """Residual block BN - ReLU - convolution - BN - ReLU - convolution, added to a shortcut of the raw input.

    The sum is not activated, so the output is unbounded on both sides.

    Args:
        spatial_dims: number of spatial axes, 2 or 3.
        in_channels: channels of the input.
        out_channels: channels of the output.
        stride: stride of the first convolution and of the shortcut.
        projection: whether the shortcut is a 1x1 convolution; otherwise the input itself, which is only possible where
            neither the channels nor the size change. Defaults to where it is needed.
        double_norm: normalise twice in a row, as some published weights were trained.

    References:
        He et al., Identity mappings in deep residual networks, ECCV 2016 (arXiv:1603.05027), figure 4e.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        projection: bool = False,
        double_norm: bool = False,
    ) -> None:
        super().__init__()
        self.norm1 = batch_norm(spatial_dims, in_channels, double_norm)
        self.conv1 = SameConvolution(spatial_dims, in_channels, out_channels, stride=stride)
        self.norm2 = batch_norm(spatial_dims, out_channels, double_norm)
        self.conv2 = SameConvolution(spatial_dims, out_channels, out_channels)
        if projection or stride != 1 or in_channels != out_channels:
            self.shortcut: nn.Module = SameConvolution(spatial_dims, in_channels, out_channels, 1, stride)
        else:
            self.shortcut = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, in_channels, *spatial)`` to ``(B, out_channels, *spatial / stride)``."""
        y = self.conv1(F.relu(self.norm1(x)))
        y = self.conv2(F.relu(self.norm2(y)))
        return y + self.shortcut(x)  # in this order torch.export can solve for the sizes that fit
