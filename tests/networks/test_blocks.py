# SPDX-License-Identifier: Apache-2.0
"""The convolutions against what TensorFlow documents of its padding, and against PyTorch's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from scripts.networks.blocks import SameConvolution, SameTransposedConvolution


def test_stride_2_pads_one_zero_at_the_end_only():
    convolution = SameConvolution(2, 1, 1, stride=2)
    x = torch.rand(1, 1, 6, 8)
    y = convolution(x)
    kernel = convolution.weight[0, 0]
    assert y.shape == (1, 1, 3, 4)
    torch.testing.assert_close(y[0, 0, 0, 0], (x[0, 0, :3, :3] * kernel).sum())  # no zero before the first element
    torch.testing.assert_close(y[0, 0, 2, 3], (x[0, 0, 4:, 6:] * kernel[:2, :2]).sum())  # one after the last


@pytest.mark.parametrize(("kernel_size", "padding"), [(3, 1), (1, 0)])
def test_stride_1_pads_on_both_sides(kernel_size, padding):
    convolution = SameConvolution(3, 2, 3, kernel_size)
    x = torch.rand(1, 2, 5, 4, 3)
    torch.testing.assert_close(convolution(x), F.conv3d(x, convolution.weight, convolution.bias, padding=padding))


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_transposed_convolution_is_the_cropped_one_of_pytorch_with_gradients(spatial_dims):
    torch.manual_seed(0)
    block = SameTransposedConvolution(spatial_dims, 3, 5).double()
    torch.nn.init.normal_(block.bias)
    shape = (4, 3, 5)[:spatial_dims]
    x = torch.randn(2, 3, *shape, dtype=torch.float64, requires_grad=True)
    plain = getattr(F, f"conv_transpose{spatial_dims}d")(x, block.weight, block.bias, stride=2)
    for axis, size in enumerate(shape):
        plain = plain.narrow(axis + 2, 0, 2 * size)
    upsampled = block(x)
    torch.testing.assert_close(upsampled, plain)

    cotangent = torch.randn_like(plain)
    inputs = (x, block.weight, block.bias)
    for ours, reference in zip(
        torch.autograd.grad(upsampled, inputs, cotangent), torch.autograd.grad(plain, inputs, cotangent), strict=True
    ):
        torch.testing.assert_close(ours, reference)


def test_transposed_convolution_has_the_state_of_a_plain_one():
    plain = torch.nn.ConvTranspose2d(4, 6, 3, 2)
    SameTransposedConvolution(2, 4, 6).load_state_dict(plain.state_dict())
