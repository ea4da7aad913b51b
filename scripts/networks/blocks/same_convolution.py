# SPDX-License-Identifier: Apache-2.0
"""Convolution with TensorFlow's ``same`` padding.

FOLDED: Transposed convolution that doubles the size, with TensorFlow's ``same`` padding.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .spatial_shape import check_spatial_dims

__all__ = ["SameConvolution", "SameTransposedConvolution"]


class SameConvolution(nn.Module):
    r"""Convolution whose output has ``size / stride`` elements along each axis, padded with zeros as TensorFlow does.

    ``max(kernel_size - stride, 0)`` zeros are added along each axis and an odd one goes to the END: a stride of 2 pads
    ``(0, 1)``, where ``padding=1`` of PyTorch would pad ``(1, 1)`` and so shift the output by one element. This holds
    for sizes that are multiples of the stride, the only ones the networks accept. Kernels start from Glorot's uniform
    distribution and biases from zero, the defaults of Keras.

    Args:
        spatial_dims: number of spatial axes, 2 or 3.
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: side of the kernel, in elements.
        stride: step of the kernel, in elements.

    Raises:
        ValueError: ``spatial_dims`` is neither 2 nor 3.

    References:
        Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010.

    Example:
        >>> SameConvolution(2, 1, 4, stride=2)(torch.zeros(1, 1, 8, 16)).shape
        torch.Size([1, 4, 4, 8])
    """

    def __init__(
        self, spatial_dims: int, in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        padding = max(kernel_size - stride, 0)
        self.spatial_dims = spatial_dims
        self.stride = stride
        # a symmetric padding is left to the convolution itself, which does not copy its input for it
        self.padding = padding // 2 if padding % 2 == 0 else 0
        self.explicit_padding = [padding // 2, padding - padding // 2] * spatial_dims if padding % 2 else [0]
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, *[kernel_size] * spatial_dims))
        self.bias = nn.Parameter(torch.empty(out_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the kernel from Glorot's uniform distribution and set the bias to zero."""
        nn.init.xavier_uniform_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``(B, in_channels, *spatial)`` to ``(B, out_channels, *spatial / stride)``."""
        if len(self.explicit_padding) > 1:
            x = F.pad(x, self.explicit_padding)
        if self.spatial_dims == 2:
            return F.conv2d(x, self.weight, self.bias, self.stride, self.padding)
        return F.conv3d(x, self.weight, self.bias, self.stride, self.padding)

    def extra_repr(self) -> str:
        """Shape of the kernel and the stride, for ``print``."""
        out_channels, in_channels, kernel_size = self.weight.shape[:3]
        return f"{in_channels}, {out_channels}, kernel_size={kernel_size}, stride={self.stride}"


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
