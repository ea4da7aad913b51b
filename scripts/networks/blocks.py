# SPDX-License-Identifier: Apache-2.0
"""Building blocks of the networks; padding, initialisation and constants are those of Keras and TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from monai.networks.layers import Norm
from torch import Tensor, nn

__all__ = [
    "SIZE_MULTIPLE", "PreactivationBlock", "SameConvolution", "SameTransposedConvolution", "UpBlock", "batch_norm",
    "check_input", "check_spatial_dims", "check_spatial_shape",
]  # fmt: skip

SIZE_MULTIPLE = 8
"""Three halvings: every spatial size must be a multiple of 2 ** 3. A network with another rule has an attribute
``size_multiple``."""
KERAS_EPSILON = 1e-3
KERAS_MOMENTUM = 0.99


def check_spatial_dims(spatial_dims: int) -> None:
    """Raise ValueError unless ``spatial_dims`` is 2 or 3."""
    if spatial_dims not in (2, 3):
        raise ValueError(f"spatial_dims must be 2 or 3, got {spatial_dims!r}. Slices have 2, volumes 3.")


def check_spatial_shape(shape: Sequence[int], multiple: int = SIZE_MULTIPLE) -> None:
    """Raise ValueError unless every size in ``shape`` is a multiple of ``multiple``."""
    if any(size % multiple for size in shape):
        padded = tuple(-(-size // multiple) * multiple for size in shape)
        strides = (2,) * (multiple.bit_length() - 1)
        raise ValueError(
            f"spatial shape {tuple(shape)} is not divisible by {multiple}, the product of strides {strides}.\n"
            f'Pad to {padded} with DivisiblePadd(keys="image", k={multiple}) before the network.'
        )


def check_input(x: Tensor, multiple: int = SIZE_MULTIPLE) -> None:
    """Check the spatial shape of ``(B, C, *spatial)``, except while the network is being exported.

    An exported graph must stay free of Python's exceptions; its caller has to pad.
    """
    if not (torch.jit.is_tracing() or torch.compiler.is_compiling()):
        check_spatial_shape(x.shape[2:], multiple)


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
        # symmetric padding is left to the convolution, which does it without a copy of the input
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
    parameters of a plain ``ConvTranspose``. The bias is added afterwards: passed to the transposed convolution, it
    makes oneDNN choose a kernel that is 2 (float32) to 13 times (bfloat16) slower.

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
        if not self.training:  # five times as fast as a number per channel, in channels-last layout
            bias = torch.zeros_like(y[:1]) + bias
        return y + bias

    def extra_repr(self) -> str:
        """Channels, for ``print``."""
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}, kernel_size=3, stride=2"


def batch_norm(spatial_dims: int, channels: int, double: bool = False) -> nn.Module:
    """Batch normalisation with the constants of Keras (PyTorch's momentum is one minus that of Keras).

    Args:
        spatial_dims: number of spatial axes, 2 or 3.
        channels: channels of the input.
        double: two in a row, as in some networks of the thesis.
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


class PreactivationBlock(nn.Module):
    """Residual block BN - ReLU - convolution - BN - ReLU - convolution, added to a shortcut of the raw input.

    The sum is not activated, so the output is unbounded on both sides.

    Args:
        spatial_dims: number of spatial axes, 2 or 3.
        in_channels: channels of the input.
        out_channels: channels of the output.
        stride: stride of the first convolution and of the shortcut.
        projection: whether the shortcut is a 1x1 convolution even where the input itself would do, that is, where
            neither the channels nor the size change.
        double_norm: two batch normalisations in a row, as in some published weights.

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
        return y + self.shortcut(x)  # in this order, torch.export can infer the valid sizes
