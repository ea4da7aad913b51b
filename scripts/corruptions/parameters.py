# SPDX-License-Identifier: Apache-2.0
"""Parameters of the corruptions: checks of their ranges, one number per image, and which images are damaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from .draws import Draws

__all__ = ["as_images", "as_volumes", "damage_chosen", "per_image", "probability", "sizes_mm", "value_range"]


def damage_chosen(images: Tensor, chosen: Tensor, damage: Callable[..., Tensor], *parameters: Any) -> Tensor:
    """Damage some images of a batch; the others stay as they are and cost nothing.

    Args:
        images: shape ``(B, C, *spatial)``.
        chosen: boolean, shape ``(B,)``.
        damage: called as ``damage(images, *parameters)`` with the chosen images.
        parameters: tensors or draws, a row for each image, or what is the same for all.

    Returns:
        The damaged images, shape of ``images``.
    """
    rows = chosen.nonzero()[:, 0]
    if len(rows) == 0:
        return images
    if len(rows) == len(images):
        return damage(images, *parameters)
    some = [p[rows] if isinstance(p, Tensor | Draws) else p for p in parameters]
    return images.index_copy(0, rows, damage(images[rows], *some))


def as_volumes(images: Tensor) -> Tensor:
    """View ``(B, C, H, W)``, C neighbouring slices, as volumes ``(B, 1, H, W, C)``; volumes stay as they are."""
    return images if images.ndim == 5 else images.movedim(1, -1)[:, None]


def as_images(volumes: Tensor, spatial_dims: int) -> Tensor:
    """Undo :func:`as_volumes` for images of two spatial axes."""
    return volumes if spatial_dims == 3 else volumes[:, 0].movedim(-1, 1)


def sizes_mm(spacing_mm: float | Sequence[float]) -> tuple[float, float, float]:
    """Voxel size along rows, columns and slices, from one number or three.

    Raises:
        ValueError: it is not positive, or of another length.
    """
    sizes = tuple(spacing_mm) if isinstance(spacing_mm, Sequence) else (spacing_mm,) * 3
    if len(sizes) != 3 or min(sizes) <= 0:
        raise ValueError(f"spacing_mm must be one positive number or three, got {spacing_mm}.")
    return sizes


def per_image(values: Tensor, images: Tensor) -> Tensor:
    """View ``values`` of shape ``(B,)`` as ``(B, 1, ...)``, to broadcast over ``images`` ``(B, C, *spatial)``."""
    return values.view(-1, *[1] * (images.ndim - 1))


def value_range(name: str, values: Sequence[float], lowest: float, highest: float) -> tuple[float, float]:
    """Check that ``values`` is a pair ``lowest <= low <= high <= highest``.

    Raises:
        ValueError: it is not.
    """
    if len(values) != 2 or not lowest <= values[0] <= values[1] <= highest:
        raise ValueError(f"{name} must be [low, high] within [{lowest}, {highest}], got {list(values)}.")
    return values[0], values[1]


def probability(prob: float) -> float:
    """Check that ``prob`` lies in ``[0, 1]``.

    Raises:
        ValueError: it does not.
    """
    if not 0.0 <= prob <= 1.0:
        raise ValueError(f"a probability must lie in [0, 1], got {prob}.")
    return prob
