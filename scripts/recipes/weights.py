# SPDX-License-Identifier: Apache-2.0
"""Weights of a trained network: the one place where they are read, checked and put into a network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..files.checked import check_zip

__all__ = ["load_weights", "read_weights"]

PARALLEL = "module."
"""What DistributedDataParallel puts before each name."""

Network = TypeVar("Network", bound=nn.Module)


def load_weights(network: Network, path: str | Path) -> Network:
    """Put the weights of a file into a network.

    Args:
        network: network, changed in place.
        path: ``model.pt`` of a training, see :func:`read_weights`; empty: the network stays as it is.

    Returns:
        ``network``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or its weights are not finite or those of another network.
    """
    if not str(path):
        return network
    try:
        network.load_state_dict(read_weights(path))
    except RuntimeError as error:
        raise ValueError(
            f"weights {path} do not fit {type(network).__name__}: {_first_difference(error)} Give weights of this "
            "network, or the network of these weights."
        ) from error
    return network


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read and check a state dictionary.

    Args:
        path: file that training, ``python -m scripts import-keras`` or a server of NVIDIA FLARE wrote
            (``FL_global_model.pt``, which has the weights under ``model``).

    Returns:
        Tensors on the CPU by name, without the ``module.`` of DistributedDataParallel.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged or holds no state dictionary, or a value is NaN or infinite.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"there are no weights at {path}: train first, with python -m monai.bundle run training ..., which writes "
            "model.pt into its output_dir, or name a file with --weights FILE."
        )
    try:
        check_zip(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes torch.load raise nearly anything
        raise ValueError(f"{path} is damaged, or no file of weights: give a model.pt that training wrote.") from error
    if isinstance(state, dict) and isinstance(state.get("model"), dict):
        state = state["model"]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path} holds more than weights, or none: give a model.pt that training wrote.")
    for name, value in state.items():
        if not torch.isfinite(value).all():
            raise ValueError(
                f"weights {path} have NaN or infinite values in {name}, as after a training that diverged: train "
                "again, for example with a smaller learning_rate."
            )
    if all(name.startswith(PARALLEL) for name in state):
        return {name.removeprefix(PARALLEL): value for name, value in state.items()}
    return state


def _first_difference(error: RuntimeError) -> str:
    """The first key that torch's message names; it lists hundreds where the networks differ."""
    lines = str(error).splitlines()
    return re.sub(r'(".+?"),? .*', r"\1.", lines[min(1, len(lines) - 1)].strip())
