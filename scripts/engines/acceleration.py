# SPDX-License-Identifier: Apache-2.0
"""A network set up for its device: memory layout, precision, and memory kept from one step to the next."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import torch
from torch import nn

__all__ = ["accelerate", "bfloat16_pays", "keep_freed_memory"]


def bfloat16_pays(device: torch.device | str) -> bool:
    """Whether bfloat16 is fast on this device: a GPU that has it, or a CPU with AVX-512-BF16 or AMX instructions.

    Elsewhere a CPU emulates it several times more slowly than float32.
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


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
    spatial_dims = max((p.ndim for p in network.parameters()), default=4) - 2
    layouts = {2: torch.channels_last, 3: torch.channels_last_3d} if channels_last else {}
    network.to(device).to(memory_format=layouts.get(spatial_dims, torch.preserve_format))  # type: ignore[call-overload]
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
