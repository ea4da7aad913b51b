# SPDX-License-Identifier: Apache-2.0
"""``import-keras FILE``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from .front import say

__all__ = ["COMMAND", "import_keras"]


def import_keras(
    weights: Annotated[str, "FILE"], output: Annotated[str, "OUT"] = "models/model.pt", *, network: str
) -> None:
    """Convert weights that the thesis published to a state dictionary that PyTorch loads with weights_only=True.

    Args:
        weights: a .h5 file (a whole model or weights alone) or a .npz file of the parity data.
        output: file of the state dictionary.
        network: network of the weights: residual_unet, skip_cae, ... as in configs/net.
    """
    from ..networks.published_weights import convert_keras_weights

    say(convert_keras_weights(Path(weights), network, Path(output)))


COMMAND = import_keras
