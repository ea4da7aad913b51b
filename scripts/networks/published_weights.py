# SPDX-License-Identifier: Apache-2.0
"""Correspondence between the layers of the published Keras networks and those of the networks here."""

from __future__ import annotations

import inspect
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
from . import NETWORKS

__all__ = ["KERAS_LAYERS", "convert_keras_weights", "match_keras_layers"]

_DECODER = {"up1.conv": "UP1_C1", "up2.conv": "UP2_C1", "up3.conv": "UP3_C1"}


def _residual_encoder(prefix: str) -> dict[str, str]:
    blocks = {"down1": f"{prefix}1", "down2": f"{prefix}2_same_dim", "down3": f"{prefix}3"}
    convolutions = {
        f"{here}.{conv}": f"{there}_{name}"
        for here, there in blocks.items()
        for conv, name in {"conv1": "C1", "conv2": "C2", "shortcut": "CAdjust"}.items()
        if (here, conv) != ("down2", "shortcut")  # an identity
    }
    return {"stem": "Conv1", **convolutions}


def _myronenko_encoder() -> dict[str, str]:
    blocks = {"block1": "32_1", "block2a": "64_1", "block2b": "64_2", "block3a": "128_1", "block3b": "128_2"}
    names = {"stem": "Conv1", **{f"down{i}": f"Conv_Downsample_{i}" for i in (1, 2, 3)}}
    for here, there in blocks.items():
        names |= {f"{here}.conv1": f"GB_{there}_C1", f"{here}.conv2": f"GB_{there}_C2", f"{here}.shortcut": "conv2d*"}
    return names


KERAS_LAYERS: dict[str, dict[str, str]] = {
    "residual_unet": {**_residual_encoder("FP_RB"), **_DECODER, "head": "conv2d*"},
    "shallow_residual_preactivation": {**_residual_encoder("FP_RB"), **_DECODER, "head": "conv2d*"},
    "shallow_residual_original": {**_residual_encoder("RB"), **_DECODER, "head": "conv2d*"},
    "skip_cae": {
        "down1": "Conv1",
        "down2": "Conv2",
        "down3": "Conv3",
        "up1": "DConv3",
        "up2": "DConv2",
        "up3.conv": "DConv1",
        "head": "DConvCH",
    },
    "myronenko_cae": {**_myronenko_encoder(), **_DECODER, "head": "OUTPUT"},
}
"""For each network, the Keras name of each convolution.

Matches of a pattern (Keras numbers ``conv2d`` by session) are assigned in order.
"""


def convert_keras_weights(weights: Path, network: str, output: Path) -> str:
    """Convert weights that the thesis published to a state dictionary.

    Args:
        weights: a .h5 file (a whole model or weights alone) or a .npz file of the parity data.
        network: key of ``KERAS_LAYERS``.
        output: file of the state dictionary, which PyTorch loads with ``weights_only=True``.

    Returns:
        One line that says what was written, and with which config fragment it goes.

    Raises:
        FileNotFoundError: there is no such file of weights.
        ValueError: the network is unknown, or the weights are those of another one.
    """
    if network not in KERAS_LAYERS:
        close = get_close_matches(network, KERAS_LAYERS, n=1, cutoff=0.0)
        raise ValueError(
            f"no published network is called {network!r}. Did you mean {close[0]!r}? Known: {', '.join(KERAS_LAYERS)}."
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
    for network in KERAS_LAYERS:
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
        network: name of the network, a key of ``KERAS_LAYERS``.

    Returns:
        The state dictionary, and the constructor arguments of the network to which it belongs.

    Raises:
        ValueError: a layer is missing, unexpected or of another shape.
    """
    arguments, places = _place_layers(layers, network)
    expected = NETWORKS[network](**arguments).state_dict()
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
    for place, pattern in KERAS_LAYERS[network].items():
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
    network_class = NETWORKS[network]
    choices: list[tuple[dict[str, Any], list[str]]] = [({}, _norm_names(network_class()))]
    if "double_norm" in inspect.signature(network_class).parameters:
        choices.append(({"double_norm": True}, _norm_names(network_class(double_norm=True))))
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
