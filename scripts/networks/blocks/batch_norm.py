# SPDX-License-Identifier: Apache-2.0
"""Batch normalisation with the constants of Keras."""

from __future__ import annotations

from monai.networks.layers import Norm
from torch import nn

__all__ = ["batch_norm"]

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
