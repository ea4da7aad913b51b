# SPDX-License-Identifier: Apache-2.0
"""Transposed convolution that doubles the size, with TensorFlow's ``same`` padding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .spatial_shape import check_spatial_dims

__all__ = ["SameTransposedConvolution"]


class SameTransposedConvolution(nn.Module):
    """Transposed 3x3(x3) convolution of stride 2 whose output is exactly twice as large along each axis.

    It is ``conv_transpose(stride=2)`` without padding, cropped to its first ``2 H x 2 W (x 2 D)`` elements, with the
    parameters of a plain ``ConvTranspose``. The bias is added afterwards: given to the transposed convolution, it sends
    oneDNN to a kernel that is 2 (float32) to 13 times (bfloat16) as slow.

    Args:
        spatial_dims: number of spatial axes, 2 or 3.
        in_channels: channels of the input.
        out_channels: channels of the output.

    Raises:
        ValueError: ``spatial_dims`` is neither 2 nor 3.

    Example:
        >>> SameTransposedConvolution(2, 4, 1)(torch.zeros(1, 4, 3, 5)).shape
        torch.Size([1, 1, 6, 10])
    """

    def __init__(self, spatial_dims: int, in_channels: int, out_channels: int) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        self.spatial_dims = spatial_dims
        self.weight = nn.Parameter(torch.empty(in_channels, out_channels, *[3] * spatial_dims))
        self.bias = nn.Parameter(torch.empty(out_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the kernel from Glorot's uniform distribution and set the bias to zero."""
        nn.init.xavier_uniform_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Upsample ``(B, in_channels, *spatial)`` to ``(B, out_channels, *2 spatial)``."""
        height, width = 2 * x.shape[2], 2 * x.shape[3]
        if self.spatial_dims == 2:
            y = F.conv_transpose2d(x, self.weight, None, stride=2)[:, :, :height, :width]
        else:
            y = F.conv_transpose3d(x, self.weight, None, stride=2)[:, :, :height, :width, : 2 * x.shape[4]]
        bias = self.bias.to(y.dtype).view([-1] + [1] * self.spatial_dims)
        if not self.training:  # channels last, rows of an image are added five times as fast as a number per channel
            bias = torch.zeros_like(y[:1]) + bias
        return y + bias

    def extra_repr(self) -> str:
        """Channels, for ``print``."""
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}, kernel_size=3, stride=2"
