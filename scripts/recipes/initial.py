# SPDX-License-Identifier: Apache-2.0
"""The network with which a training starts: weights of a file, layers that do not learn."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .weights import load_weights

__all__ = ["freeze", "initial_network"]

Network = TypeVar("Network", bound=nn.Module)

logger = logging.getLogger(__name__)


def initial_network(network: Network, path: str | Path = "", frozen: Sequence[str] = ()) -> Network:
    """Prepare a network for its training.

    Args:
        network: network, changed in place.
        path: weights to start from, see :func:`~scripts.recipes.weights.load_weights`; empty: those it has.
        frozen: patterns of layers that keep their weights, see :func:`freeze`.

    Returns:
        ``network``.
    """
    load_weights(network, path)
    if str(path):
        logger.info(f"the training starts from {path}")
    return freeze(network, frozen)


def freeze(network: Network, patterns: Sequence[str]) -> Network:
    """Keep layers as they are in a training: their parameters, and the statistics of their batch normalisations.

    Args:
        network: network, changed in place.
        patterns: names of layers or parameters, with ``*`` for any part of a name, such as ``encoder*``. All that is
            inside a layer is frozen with it, and so is a batch normalisation of which a parameter is.

    Returns:
        ``network``.

    Raises:
        ValueError: nothing has such a name, or nothing is left to learn.
    """
    if not patterns:
        return network
    layers = {name: layer for name, layer in network.named_modules() if name}
    names = [*layers, *(name for name, _ in network.named_parameters())]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            outermost = sorted({name.partition(".")[0] for name in names})
            raise ValueError(f"freeze: no layer is called {pattern!r}; the outermost are {', '.join(outermost)}.")

    def is_frozen(name: str) -> bool:
        parts = name.split(".")
        inside = [".".join(parts[: length + 1]) for length in range(len(parts))]
        return any(fnmatchcase(place, pattern) for place in inside for pattern in patterns)

    for name, parameter in network.named_parameters():
        parameter.requires_grad_(not is_frozen(name))
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise ValueError(f"freeze {', '.join(patterns)} leaves no parameter to learn: freeze fewer layers.")
    for name, layer in layers.items():
        if isinstance(layer, _BatchNorm) and (
            is_frozen(name) or any(not one.requires_grad for one in layer.parameters())
        ):
            layer.register_forward_pre_hook(_stay_in_evaluation)
    count = sum(parameter.numel() for parameter in network.parameters() if not parameter.requires_grad)
    logger.info(f"{count} parameters are frozen")
    return network


def _stay_in_evaluation(layer: nn.Module, inputs: object) -> None:
    """Undo the ``train()`` with which MONAI's trainer begins each batch."""
    layer.training = False
