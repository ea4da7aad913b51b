# SPDX-License-Identifier: Apache-2.0
"""Monte-Carlo dropout: the mean of predictions whose dropout is left on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

__all__ = ["dropout_probabilities"]


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
