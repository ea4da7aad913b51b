# SPDX-License-Identifier: Apache-2.0
"""Maps of uncertainty that need no second network.

Entropy of the predicted probabilities, the same of predictions whose dropout is left on, and the borders of the
prediction: the baseline that knows nothing but that borders are where errors are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

__all__ = ["dropout_probabilities", "edge_map", "entropy_map"]


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


def edge_map(classes: Tensor) -> Tensor:
    """1 where one of the eight neighbours has another class, else 0.

    Args:
        classes: ``(N, H, W)``, whole numbers.

    Returns:
        ``(N, H, W)`` float32.
    """
    values = classes[:, None].float()
    highest, lowest = (sign * F.max_pool2d(sign * values, 3, stride=1, padding=1) for sign in (1, -1))
    return (highest != lowest)[:, 0].float()


@torch.inference_mode()
def dropout_probabilities(network: nn.Module, images: Tensor, passes: int, seed: int) -> Tensor:
    """Mean probabilities of several passes, each with other units left out.

    Only the dropout layers behave as in training; batch normalisation does not.

    Args:
        network: in evaluation mode, from images to probabilities; left as it was.
        images: ``(N, C, *spatial)``.
        passes: how many.
        seed: of the draws. torch's own random state stays as it was.

    Returns:
        ``(N, classes, *spatial)``.

    Raises:
        ValueError: the network has no dropout.

    References:
        Gal and Ghahramani, Dropout as a Bayesian approximation, ICML 2016 (arXiv:1506.02142).
    """
    with torch.random.fork_rng(), _dropping(network):
        torch.manual_seed(seed)
        return torch.stack([network(images) for _ in range(passes)]).mean(0)


@contextmanager
def _dropping(network: nn.Module) -> Iterator[None]:
    layers = [layer for layer in network.modules() if isinstance(layer, _DropoutNd) and layer.p > 0]
    if not layers:
        raise ValueError(
            f"Monte-Carlo dropout needs a network with dropout, {type(network).__name__} has none: train it with "
            "dropout, such as network_def#dropout 0.1."
        )
    for layer in layers:
        layer.train()
    try:
        yield
    finally:
        for layer in layers:
            layer.eval()
