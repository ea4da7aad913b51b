# SPDX-License-Identifier: Apache-2.0
"""Entropy of the predicted probabilities, the plainest map of uncertainty."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["entropy_map"]


def entropy_map(probabilities: Tensor) -> Tensor:
    r"""Entropy of each pixel's classes as a share of the largest possible one.

    .. math:: U = -\frac{1}{\log C} \sum_c p_c \log p_c

    Args:
        probabilities: ``(N, C, *spatial)``, sums of one over C.

    Returns:
        ``(N, *spatial)`` in [0, 1].

    Example:
        >>> entropy_map(torch.full((1, 4, 1), 0.25))
        tensor([[1.]])
    """
    return torch.special.entr(probabilities).sum(1) / math.log(probabilities.shape[1])
