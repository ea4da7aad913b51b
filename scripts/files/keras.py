# SPDX-License-Identifier: Apache-2.0
"""Reader of weights that Keras 2 saved."""

from __future__ import annotations

import zipfile
from pathlib import Path

import h5py
import numpy as np

__all__ = ["KerasLayers", "read_keras_layers"]

KerasLayers = dict[str, dict[str, np.ndarray]]
"""Values by name of the layer, then of the variable (``kernel``, ``gamma``, ...); layers in the order of the graph."""


def read_keras_layers(path: Path) -> KerasLayers:
    """Read every layer that has weights, in the order of the graph.

    Args:
        path: ``.h5`` file of a whole model or of its weights alone, or ``.npz`` file with keys
            ``weights/<layer>/<variable>:0`` (other keys are ignored).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is neither, or holds no weights.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}. Give the path of a .h5 or .npz file.")
    if h5py.is_hdf5(path):
        layers = _read_h5(path)
    elif zipfile.is_zipfile(path):
        layers = _read_npz(path)
    else:
        raise ValueError(
            f"{path} is neither HDF5 nor npz, or incomplete. Give a file that Keras 2 saved, or download it again."
        )
    if not layers:
        raise ValueError(f"{path} holds no weights. Give a file that Keras 2 saved with its weights.")
    return layers


def _read_h5(path: Path) -> KerasLayers:
    layers: KerasLayers = {}
    with h5py.File(path, "r") as file:
        root = file.get("model_weights", file)  # a whole model; else the weights alone
        if "layer_names" not in root.attrs:
            raise ValueError(f"{path} lacks the attribute layer_names that Keras 2 writes. Save it with save_weights.")
        for layer in map(_text, root.attrs["layer_names"]):
            for name in map(_text, root[layer].attrs["weight_names"]):
                layers.setdefault(layer, {})[_variable(name)] = np.asarray(root[layer][name])
    return layers


def _read_npz(path: Path) -> KerasLayers:
    layers: KerasLayers = {}
    with np.load(path, allow_pickle=False) as file:
        for key in file.files:
            folder, _, rest = key.partition("/")
            if folder == "weights":
                layer, _, variable = rest.rpartition("/")
                layers.setdefault(layer, {})[_variable(variable)] = file[key]
    return layers


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _variable(name: str) -> str:
    """``Conv1/kernel:0`` to ``kernel``."""
    return name.rpartition("/")[2].partition(":")[0]
