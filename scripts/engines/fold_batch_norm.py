# SPDX-License-Identifier: Apache-2.0
"""Merge batch normalisations into the convolutions before them, for inference."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn
from torch.fx import GraphModule, Tracer
from torch.nn.utils import fuse_conv_bn_weights

from ..networks.blocks import SameConvolution, SameTransposedConvolution, check_input

__all__ = ["fold_batch_norm"]

CONVOLUTIONS = (SameConvolution, SameTransposedConvolution)
NORMS = (nn.BatchNorm2d, nn.BatchNorm3d)


class _LayerTracer(Tracer):
    """Tracer whose leaves are whole convolutions and normalisations, and the check of the size."""

    def __init__(self) -> None:
        super().__init__(autowrap_functions=(check_input,))

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, (*CONVOLUTIONS, *NORMS)) or super().is_leaf_module(m, module_qualified_name)


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """Multiply each batch normalisation that directly follows a convolution into the convolution's weights.

    One that stands before a convolution, as in pre-activation blocks whose input is needed unnormalised too, stays.

    Args:
        network: network in evaluation mode.

    Returns:
        An equivalent network, up to rounding, with its own parameters; ``network`` itself if it cannot be traced
        because its control flow depends on the data.
    """
    try:
        graph = _LayerTracer().trace(network)
    except Exception:  # a network of any kind may be given, and tracing it may fail in any way
        return network
    folded = GraphModule(copy.deepcopy(network), graph)
    layers = dict(folded.named_modules())
    for node in list(graph.nodes):
        norm = layers.get(node.target) if node.op == "call_module" else None
        if not isinstance(norm, NORMS):
            continue
        (source,) = node.args
        convolution = layers.get(source.target) if source.op == "call_module" else None
        if isinstance(convolution, CONVOLUTIONS) and len(source.users) == 1:
            _merge(convolution, norm)
            node.replace_all_uses_with(source)
            graph.erase_node(node)
    folded.recompile()
    return folded


def _merge(convolution: Any, norm: Any) -> None:
    statistics = (norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
    transposed = isinstance(convolution, SameTransposedConvolution)
    merged = fuse_conv_bn_weights(convolution.weight, convolution.bias, *statistics, transpose=transposed)
    convolution.weight, convolution.bias = merged
