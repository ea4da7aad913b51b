# SPDX-License-Identifier: Apache-2.0
"""Set a network up for its device: memory layout and precision."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

__all__ = ["accelerate", "bfloat16_pays"]


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
