# SPDX-License-Identifier: Apache-2.0
"""Count the bytes and the arithmetic of every torch operation in a block.

FOLDED: A network as a list of Keras layers, for the same network in TensorFlow.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Node, Tracer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from ...networks.blocks import SameConvolution, SameTransposedConvolution, check_input

__all__ = ["Counted", "Counter", "Layer", "network_layers"]

_aten = torch.ops.aten
#: They read no more of their input than they write.
_PICKING = {_aten.index, _aten.index_select, _aten.gather, _aten.take, _aten.embedding}


@dataclass(frozen=True)
class Counted:
    """What one slice costs, whatever the device.

    Attributes:
        bytes_moved: read and written.
        operations: floating-point operations of convolutions and matrix products by dtype ("float32"); a
            multiplication and its addition are two.
    """

    bytes_moved: float = 0.0
    operations: Mapping[str, float] = field(default_factory=dict)


class Counter(TorchDispatchMode):
    """Adds up what the operations of this thread read, write and compute.

    Bytes are the sizes of all inputs and outputs of each operation; views cost nothing. This is what an implementation
    that runs one operation after the other, each from memory to memory, must move: an estimate, too high where
    operations are fused or data stay in a cache, too low where one makes a temporary copy. Operations are counted with
    the formulas of ``torch.utils.flop_counter``. Neither sees other threads, NumPy or a replayed CUDA graph.

    Example:
        >>> with Counter() as counter:
        ...     _ = torch.zeros(4) + torch.zeros(4)
        >>> counter.bytes_moved  # two outputs of zeros, two inputs and an output of the sum, 16 bytes each
        80
    """

    def __init__(self) -> None:
        super().__init__()
        self.bytes_moved = 0
        self.operations: dict[str, int] = defaultdict(int)

    def per_slice(self, slices: int) -> Counted:
        """The totals divided by the number of slices that were processed."""
        return Counted(self.bytes_moved / slices, {name: count / slices for name, count in self.operations.items()})

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run one operation and count it."""
        kwargs = kwargs or {}
        packet = func._overloadpacket
        if packet not in flop_registry:  # in inference mode, composed operations arrive whole
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        if not func.is_view:
            read, written = _sizes((args, kwargs)), _sizes(result)
            if packet in _PICKING:
                read = [min(size, sum(written)) for size in read]
            self.bytes_moved += sum(read) + (sum(written) or _written_in_place(func, args, kwargs))
        if packet in flop_registry:
            dtype = next(leaf.dtype for leaf in tree_leaves(result) if isinstance(leaf, Tensor))
            self.operations[str(dtype).removeprefix("torch.")] += flop_registry[packet](*args, **kwargs, out_val=result)
        return result


def _sizes(values: Any) -> list[int]:
    """Bytes of each tensor; of one that was expanded, those that exist."""
    tensors = (leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor))
    return [min(t.numel() * t.element_size(), t.untyped_storage().nbytes()) for t in tensors]


def _written_in_place(func: Any, args: tuple, kwargs: dict[str, Any]) -> int:
    """Bytes that an operation without a result writes into its arguments, such as a fused optimiser's step."""
    named = dict(zip((argument.name for argument in func._schema.arguments), args, strict=False)) | kwargs
    changed = [a.name for a in func._schema.arguments if a.alias_info is not None and a.alias_info.is_write]
    return sum(_sizes([named.get(name) for name in changed]))


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
