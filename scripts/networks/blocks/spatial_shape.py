# SPDX-License-Identifier: Apache-2.0
"""Which spatial axes and sizes the networks accept."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["SIZE_MULTIPLE", "check_input", "check_spatial_dims", "check_spatial_shape"]

SIZE_MULTIPLE = 8
"""Three halvings: every spatial size must be a multiple of 2 ** 3."""


def check_spatial_dims(spatial_dims: int) -> None:
    """Raise ValueError unless ``spatial_dims`` is 2 or 3."""
    if spatial_dims not in (2, 3):
        raise ValueError(f"spatial_dims must be 2 or 3, got {spatial_dims!r}. Slices have 2, volumes 3.")


def check_spatial_shape(shape: Sequence[int]) -> None:
    """Raise ValueError unless every size in ``shape`` is a multiple of ``SIZE_MULTIPLE``."""
    if any(size % SIZE_MULTIPLE for size in shape):
        padded = tuple(-(-size // SIZE_MULTIPLE) * SIZE_MULTIPLE for size in shape)
        raise ValueError(
            f"spatial shape {tuple(shape)} is not divisible by {SIZE_MULTIPLE}, the product of strides (2, 2, 2).\n"
            f'Pad to {padded} with DivisiblePadd(keys="image", k={SIZE_MULTIPLE}) before the network.'
        )


def check_input(x: Tensor) -> None:
    """Check the spatial shape of ``(B, C, *spatial)``, except while the network is being exported.

    An exported graph must stay free of Python's exceptions; it is for the caller of the graph to pad.
    """
    if not (torch.jit.is_tracing() or torch.compiler.is_compiling()):
        check_spatial_shape(x.shape[2:])
