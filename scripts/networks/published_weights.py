# SPDX-License-Identifier: Apache-2.0
"""Correspondence between the layers of the published Keras networks and those of the networks here."""

from __future__ import annotations

from collections import defaultdict
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..files.atomic import replacing
from ..files.keras import KerasLayers, read_keras_layers
from . import THESIS_NETWORKS

__all__ = ["convert_keras_weights", "match_keras_layers"]


def convert_keras_weights(weights: Path, network: str, output: Path) -> str:
    """Convert weights that the thesis published to a state dictionary.

    Args:
        weights: a .h5 file (a whole model or weights alone) or a .npz file of the parity data.
        network: key of ``THESIS_NETWORKS``.
        output: file of the state dictionary, which PyTorch loads with ``weights_only=True``.

    Returns:
        One line that says what was written, and with which config fragment it goes.

    Raises:
        FileNotFoundError: there is no such file of weights.
        ValueError: the network is unknown, or the weights are those of another one.
    """
    if network not in THESIS_NETWORKS:
        close = get_close_matches(network, THESIS_NETWORKS, n=1, cutoff=0.0)
        raise ValueError(
            f"no published network is called {network!r}. Did you mean {close[0]!r}? "
            f"Known: {', '.join(THESIS_NETWORKS)}."
        )
    layers = read_keras_layers(weights)
    try:
        state, arguments = match_keras_layers(layers, network)
    except ValueError as error:
        raise ValueError(f"{weights}: {error}{_suggest(layers)}") from error
    with replacing(output) as partial:
        torch.save(state, partial)
    parameters = sum(value.numel() for key, value in state.items() if not key.endswith("num_batches_tracked"))
    fragment = f"configs/net/{network}{'_double_norm' if arguments else ''}.yaml"
    return f"wrote {output}: {parameters:,} parameters of {network}, to use with {fragment}"


def _suggest(layers: KerasLayers) -> str:
    """Sentence that names the network whose weights these are, if any."""
    for network in THESIS_NETWORKS:
        try:
            match_keras_layers(layers, network)
        except ValueError:
            continue
        return f" They fit network {network}."
    return ""


def match_keras_layers(layers: KerasLayers, network: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Convert the layers of a Keras file to the state dictionary of a network.

    Convolutions are matched by name, batch normalisations by their order in the graph: the thesis renamed them between
    its versions. Their number shows whether the network was trained with two in a row (``double_norm``).

    Args:
        layers: layers of the file, from :func:`~scripts.files.keras.read_keras_layers`.
        network: name of the network, a key of ``THESIS_NETWORKS``.

    Returns:
        The state dictionary, and the constructor arguments of the network to which it belongs.

    Raises:
        ValueError: a layer is missing, unexpected or of another shape.
    """
    arguments, places = _place_layers(layers, network)
    expected = THESIS_NETWORKS[network](**arguments).state_dict()
    state: dict[str, Tensor] = {}
    for place, name in places.items():
        for variable, value in layers[name].items():
            key, tensor = _convert(place, variable, value)
            if key not in expected or expected[key].shape != tensor.shape:
                raise ValueError(
                    f"layer {name!r}, variable {variable!r}, has shape {value.shape}, which is not that of {network}."
                )
            state[key] = tensor
    state |= {key: value for key, value in expected.items() if key.endswith("num_batches_tracked")}
    missing = sorted(expected.keys() - state.keys())
    if missing:
        raise ValueError(f"the weights lack {', '.join(missing[:3])} of {network}.")
    return {key: state[key] for key in expected}, arguments


def _place_layers(layers: KerasLayers, network: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Constructor arguments of the network, and the Keras layer of each of its layers."""
    norms = [name for name, variables in layers.items() if "gamma" in variables]
    others = [name for name in layers if name not in norms]
    arguments, norm_places = _choose_norms(network, len(norms))
    places = dict(zip(norm_places, norms, strict=False))

    patterns: dict[str, list[str]] = defaultdict(list)
    for place, pattern in THESIS_NETWORKS[network].keras_layers.items():
        patterns[pattern].append(place)
    problems: list[str] = []
    for pattern, wanted in patterns.items():
        found = [name for name in others if fnmatchcase(name, pattern)]
        others = [name for name in others if name not in found]
        places |= dict(zip(wanted, found, strict=False))
        if len(found) < len(wanted):
            problems.append(f"missing layer {pattern!r}")
        others += found[len(wanted) :]
    problems += [f"unexpected layer {name!r}" for name in others]
    if len(norms) != len(norm_places):
        problems.append(f"{len(norms)} batch normalisations instead of {len(norm_places)}")
    if problems:
        more = f" and {len(problems) - 4} more" if len(problems) > 4 else ""
        raise ValueError(f"the weights are not those of {network}: {', '.join(problems[:4])}{more}.")
    return arguments, places


def _choose_norms(network: str, count: int) -> tuple[dict[str, Any], list[str]]:
    """Constructor arguments with which ``network`` has ``count`` batch normalisations, and the names of those.

    The default arguments if neither choice has ``count``.
    """
    make = THESIS_NETWORKS[network]
    choices = [(dict(arguments), _norm_names(make(**arguments))) for arguments in make.published_arguments]
    return next((choice for choice in choices if len(choice[1]) == count), choices[0])


def _norm_names(network: nn.Module) -> list[str]:
    return [name for name, module in network.named_modules() if isinstance(module, _BatchNorm)]


def _convert(place: str, variable: str, value: np.ndarray) -> tuple[str, Tensor]:
    """Key and tensor of one variable; a kernel ``(*spatial, in, out)`` becomes ``(out, in, *spatial)``.

    The kernel of a transposed convolution is ``(*spatial, out, in)`` in Keras and ``(in, out, *spatial)`` here, so the
    same reversal of the channels serves both, without a flip.
    """
    names = {"kernel": "weight", "gamma": "weight", "beta": "bias"}
    names |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
    tensor = torch.from_numpy(np.array(value, dtype=np.float32))
    if variable == "kernel":
        tensor = tensor.movedim((-1, -2), (0, 1)).contiguous()
    return f"{place}.{names.get(variable, variable)}", tensor
