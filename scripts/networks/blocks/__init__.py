# SPDX-License-Identifier: Apache-2.0
"""Pieces that the networks share; they follow Keras and TensorFlow to the last zero of padding."""

from __future__ import annotations

from .residual import PreactivationBlock
from .same_convolution import SameConvolution, SameTransposedConvolution
from .spatial_shape import check_input
from .up_block import UpBlock, batch_norm

__all__ = ["PreactivationBlock", "SameConvolution", "SameTransposedConvolution", "UpBlock", "batch_norm", "check_input"]
