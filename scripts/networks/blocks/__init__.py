# SPDX-License-Identifier: Apache-2.0
"""Pieces that the networks share; they follow Keras and TensorFlow to the last zero of padding."""

from __future__ import annotations

from .batch_norm import batch_norm
from .preactivation_block import PreactivationBlock
from .same_convolution import SameConvolution
from .same_transposed_convolution import SameTransposedConvolution
from .spatial_shape import check_input
from .up_block import UpBlock

__all__ = [
    "PreactivationBlock",
    "SameConvolution",
    "SameTransposedConvolution",
    "UpBlock",
    "batch_norm",
    "check_input",
]
