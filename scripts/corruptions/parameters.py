# SPDX-License-Identifier: Apache-2.0
"""Parameters of the corruptions: checks of their ranges, and one number per image as a tensor that broadcasts."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

__all__ = ["per_image", "probability", "value_range"]


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
