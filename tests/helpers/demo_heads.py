# SPDX-License-Identifier: Apache-2.0
"""Heads of the demo cohort as batches: their anatomy is a real one, as k-space and networks expect it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from scripts.demo.restoration import demo_head


@lru_cache(maxsize=8)
def _head(seed: int, spacing_mm: float) -> Tensor:
    volume = torch.from_numpy(demo_head(seed, spacing_mm=spacing_mm).get_fdata(dtype=np.float32))
    volume = volume / np.percentile(volume, 99.5)
    volume = volume.permute(2, 1, 0).flip(0, 1)[None, None]  # sagittal: superior to inferior, anterior to posterior
    return F.pad(volume, (0, 0, 0, -volume.shape[3] % 8, 0, -volume.shape[2] % 8))


def demo_heads(number: int) -> Tensor:
    """Heads at 4 mm, ``(number, 1, H, W, D)``, H and W multiples of 8, the 99.5th percentile of each 1."""
    return torch.cat([_head(seed, 4.0) for seed in range(number)])


def demo_slabs(number: int) -> Tensor:
    """Five slices each of heads at 2 mm, in the same form."""
    return torch.cat([_head(seed, 2.0)[..., 44:49] for seed in range(number)])
