# SPDX-License-Identifier: Apache-2.0
"""A network as a list of Keras layers, for the same network in TensorFlow."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Node, Tracer

from ..networks.blocks import SameConvolution, SameTransposedConvolution, check_input

__all__ = ["Layer", "network_layers"]

Layer = tuple[str, str, dict[str, Any], list[str], list[Any]]
"""Name, Keras class, its arguments, names of the inputs, weights in the order of Keras."""

_FUNCTIONS: dict[Any, tuple[str, dict[str, Any]]] = {
    nn.functional.relu: ("ReLU", {}),
    torch.sigmoid: ("Activation", {"activation": "sigmoid"}),
    torch.cat: ("Concatenate", {}),
    operator.add: ("Add", {}),
}


def network_layers(network: nn.Module) -> list[Layer]:
    """Translate a two-dimensional network of this project.

    Its forward pass is followed symbolically, so that the layers cannot differ from the code. TensorFlow's ``same``
    padding, which the convolutions imitate, becomes itself again.

    Args:
        network: any of ``NETWORKS``.

    Returns:
        The layers in the order of computation; the last is the output. The input, ``(B, H, W, 1)``, is called "x".
        Weights are NumPy arrays, kernels ``(rows, columns, in, out)``, transposed ones ``(rows, columns, out, in)``.

    Raises:
        NotImplementedError: the network has a layer or a function that has no translation here.
    """
    nodes = _LayerTracer().trace(network).nodes
    return [_layer(network, node) for node in nodes if node.op not in ("placeholder", "output") and node.users]


class _LayerTracer(Tracer):
    """Takes each convolution as a whole, and drops the check of the input."""

    def __init__(self) -> None:
        super().__init__(autowrap_functions=(check_input,))

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether to stop at this module."""
        convolutions = (SameConvolution, SameTransposedConvolution)
        return isinstance(m, convolutions) or super().is_leaf_module(m, module_qualified_name)


def _layer(network: nn.Module, node: Node) -> Layer:
    weights: list[Any] = []
    if node.op == "call_module":
        kind, arguments, weights = _module(network.get_submodule(str(node.target)))
    elif node.target in _FUNCTIONS:
        kind, arguments = _FUNCTIONS[node.target]
    else:
        raise NotImplementedError(f"{type(network).__name__} calls {node.target}, which has no translation to Keras.")
    return node.name, kind, arguments, [source.name for source in node.all_input_nodes], weights


def _module(module: nn.Module) -> tuple[str, dict[str, Any], list[Any]]:
    if isinstance(module, SameConvolution):
        filters, _, size = module.weight.shape[:3]
        arguments = {"filters": filters, "kernel_size": size, "strides": module.stride, "padding": "same"}
        return "Conv2D", arguments, [_kernel(module.weight), _array(module.bias)]
    if isinstance(module, SameTransposedConvolution):
        arguments = {"filters": module.weight.shape[1], "kernel_size": 3, "strides": 2, "padding": "same"}
        return "Conv2DTranspose", arguments, [_kernel(module.weight), _array(module.bias)]
    if isinstance(module, nn.BatchNorm2d):
        arguments = {"epsilon": module.eps, "momentum": 1 - (module.momentum or 0.0)}
        values = (module.weight, module.bias, module.running_mean, module.running_var)
        return "BatchNormalization", arguments, [_array(value) for value in values if value is not None]
    if isinstance(module, nn.Dropout2d):
        return "SpatialDropout2D", {"rate": module.p}, []
    if isinstance(module, nn.Identity):
        return "Activation", {"activation": "linear"}, []
    raise NotImplementedError(f"{type(module).__name__} has no translation to Keras.")


def _kernel(weight: Tensor) -> Any:
    return _array(weight.movedim((0, 1), (-1, -2)))


def _array(values: Tensor) -> Any:
    return values.detach().contiguous().numpy()
