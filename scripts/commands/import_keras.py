# SPDX-License-Identifier: Apache-2.0
"""``python -m scripts import-keras WEIGHTS --network NAME --output model.pt``: published Keras weights for PyTorch."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

import fire
import torch

from ..files.atomic import replacing
from ..files.errors import clean_exit
from ..files.keras import KerasLayers, read_keras_layers
from ..networks import THESIS_NETWORKS
from ..networks.published_weights import match_keras_layers

__all__ = ["import_keras"]


def import_keras(weights: str, network: str, output: str = "models/model.pt") -> str:
    """Convert weights that the thesis published to a state dict that PyTorch loads with ``weights_only=True``.

    Args:
        weights: path of a .h5 file (a whole model or weights alone) or of a .npz file of the parity data.
        network: name of the network, as in configs/net.
        output: path of the state dict to write.

    Returns:
        One line that says what was written, and the arguments of the network's constructor where they are not the
        default ones.

    Raises:
        FileNotFoundError: there is no such file of weights.
        ValueError: the network is unknown, or the weights are not those of the network.
    """
    if network not in THESIS_NETWORKS:
        close = get_close_matches(str(network), THESIS_NETWORKS, n=1, cutoff=0.0)
        raise ValueError(
            f"no published network is called {network!r}. Did you mean {close[0]!r}? "
            f"Known: {', '.join(THESIS_NETWORKS)}."
        )
    layers = read_keras_layers(Path(str(weights)))
    try:
        state, arguments = match_keras_layers(layers, network)
    except ValueError as error:
        raise ValueError(f"{weights}: {error}{_suggest(layers)}") from error
    with replacing(Path(str(output))) as partial:
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
        return f" They fit --network {network}."
    return ""


if __name__ == "__main__":
    with clean_exit():
        fire.Fire(import_keras)
