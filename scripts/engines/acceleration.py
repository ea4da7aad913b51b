# SPDX-License-Identifier: Apache-2.0
"""A network made fast on its device: memory layout, precision, batch normalisations folded into convolutions."""

from __future__ import annotations

import copy
import ctypes
import sys
from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule, Tracer
from torch.nn.utils import fuse_conv_bn_weights

from ..networks.blocks import SameConvolution, SameTransposedConvolution, check_input

__all__ = ["accelerate", "bfloat16_pays", "fold_batch_norm", "keep_freed_memory"]

CONVOLUTIONS = (SameConvolution, SameTransposedConvolution)
NORMS = (nn.BatchNorm2d, nn.BatchNorm3d)


def bfloat16_pays(device: torch.device | str) -> bool:
    """Whether bfloat16 is fast on this device: a GPU that has it, or a CPU with AVX-512-BF16 or AMX instructions.

    Elsewhere a CPU emulates it several times more slowly than float32.
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}
"""Of parameters with so many axes."""


def accelerate(
    network: nn.Module, device: torch.device | str, amp: bool, channels_last: bool = True, compile: bool = False
) -> nn.Module:
    """Move a network to its device, channels last, and compute its forward pass in bfloat16 if requested.

    The parameters stay float32 and keep their names, so the state dictionary does not change. The network's output is
    float32 again.

    Args:
        network: network, changed in place.
        device: device on which it runs.
        amp: whether to autocast the forward pass to bfloat16 (same exponents as float32, so no loss scaling is needed).
        channels_last: whether to store images and kernels with the channels as the last, contiguous axis.
        compile: whether to compile the forward pass with ``torch.compile`` at the first batch of each shape (this takes
            a minute or so, and a C++ compiler).

    Returns:
        ``network``.
    """
    device = torch.device(device)
    network.to(device)
    for module in network.modules() if channels_last else ():
        for parameter in module.parameters(recurse=False):
            if parameter.ndim in LAYOUTS:
                parameter.data = parameter.data.contiguous(memory_format=LAYOUTS[parameter.ndim])
    if amp:
        plain_forward = network.forward

        def forward(*args: Any, **kwargs: Any) -> Any:
            with torch.autocast(device.type, torch.bfloat16):
                return plain_forward(*args, **kwargs).float()

        network.forward = forward
    if compile:
        network.compile(dynamic=False)
    return network


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's ``malloc.h``."""

LARGEST_BLOCK = 32 * 2**20
"""Bytes; glibc takes no more for its mmap threshold."""


def keep_freed_memory() -> bool:
    """Make the C library keep freed blocks of up to 32 MiB for the rest of the process.

    Each batch allocates and frees the same hundreds of megabytes. By default glibc returns large blocks to the system
    at once, which provides them again page by page, zeroed: a seventh of a training step on a CPU. Peak memory does not
    change. Larger blocks, such as whole volumes, are still returned.

    Returns:
        Whether it was done: on Linux with glibc only.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is None or not hasattr(library, "gnu_get_libc_version"):
        return False
    return bool(library.mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK) and library.mallopt(M_TRIM_THRESHOLD, 2**31 - 1))


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
        An equivalent network, up to rounding, with its own parameters; ``network`` itself if it has none, or cannot be
        traced because its control flow depends on the data.
    """
    if not any(isinstance(module, NORMS) for module in network.modules()):
        return network
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
