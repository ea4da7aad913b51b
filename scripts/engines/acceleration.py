# SPDX-License-Identifier: Apache-2.0
"""Set a network up for its device: memory layout and precision.

FOLDED: Keep the memory of one training step for the next.
"""

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
    """Move a network to its device, channels last, and compute its forward pass in bfloat16 where asked to.

    The parameters stay float32 and keep their names, so the state dictionary does not change. The network's output is
    float32 again.

    Args:
        network: changed in place.
        device: where it runs.
        amp: autocast the forward pass to bfloat16 (same exponents as float32, so no loss scaling is needed).
        channels_last: store images and kernels with the channels as the last, contiguous axis.
        compile: compile the forward pass with ``torch.compile`` at the first batch of each shape (a minute or so, and a
            C++ compiler is needed).

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
    """Ask the C library not to give freed blocks of up to 32 MiB back to the system, for the rest of the process.

    Each batch allocates and frees the same hundreds of megabytes. By default glibc returns large blocks at once, and
    the system hands them out again page by page, zeroed: a seventh of a training step on a CPU. Peak memory stays what
    it was. Larger blocks, such as whole volumes, are still given back.

    Returns:
        Whether it was done: on Linux with glibc only.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is None or not hasattr(library, "gnu_get_libc_version"):
        return False
    return bool(library.mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK) and library.mallopt(M_TRIM_THRESHOLD, 2**31 - 1))
