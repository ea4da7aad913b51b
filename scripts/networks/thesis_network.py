# SPDX-License-Identifier: Apache-2.0
"""Base class of the five networks of the thesis: names, published weights and Keras layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import nn

__all__ = ["KERAS_DECODER", "ThesisNetwork", "keras_residual_encoder"]

KERAS_DECODER = {"up1.conv": "UP1_C1", "up2.conv": "UP2_C1", "up3.conv": "UP3_C1"}


def keras_residual_encoder(prefix: str) -> dict[str, str]:
    """Names of the convolutions of a residual encoder in Keras.

    Args:
        prefix: prefix of the names of the blocks.
    """
    blocks = {"down1": f"{prefix}1", "down2": f"{prefix}2_same_dim", "down3": f"{prefix}3"}
    convolutions = {
        f"{here}.{conv}": f"{there}_{name}"
        for here, there in blocks.items()
        for conv, name in {"conv1": "C1", "conv2": "C2", "shortcut": "CAdjust"}.items()
        if (here, conv) != ("down2", "shortcut")  # an identity
    }
    return {"stem": "Conv1", **convolutions}


class ThesisNetwork(nn.Module):
    """Base class of the networks that the thesis trained.

    Attributes:
        label: name in a text.
        thesis_l2_layers: layers whose kernels the thesis penalised.
        transferred_layers: layers whose outputs go from the encoder to the decoder: skips, then the latent.
        published_arguments: arguments of the constructor with which published weights were trained.
        keras_layers: convolution here to its name in Keras; a pattern (Keras numbers ``conv2d`` by session) is used up
            in order.
    """

    label: ClassVar[str]
    thesis_l2_layers: ClassVar[tuple[str, ...]]
    transferred_layers: ClassVar[tuple[str, ...]]
    published_arguments: ClassVar[tuple[Mapping[str, Any], ...]] = ({},)
    keras_layers: ClassVar[Mapping[str, str]]
