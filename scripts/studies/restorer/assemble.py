# SPDX-License-Identifier: Apache-2.0
"""The restorer of its parts: ``python -m scripts.studies.restorer.assemble VOLUMES VERDICT SLICES PATH``."""

from __future__ import annotations

from pathlib import Path

import torch

from ...files.atomic import replacing
from ...networks import ResidualUNet, RestorerNet, SlabUNet, VerdictNet
from ...recipes.weights import load_weights
from ..command_line import run_command

__all__ = ["assemble"]


def assemble(volumes: str, verdict: str, slices: str, path: str) -> None:
    """Write the weights of the whole restorer in half precision.

    Args:
        volumes: weights of the network for volumes, see :mod:`scripts.studies.restorer`.
        verdict: those of its verdict.
        slices: those of the network for slices.
        path: file that is written.
    """
    verdict_net = VerdictNet(9)
    network = load_weights(SlabUNet(channels=(64, 96, 96), verdict=verdict_net), volumes)
    load_weights(verdict_net, verdict)
    whole = RestorerNet(network, load_weights(ResidualUNet(spatial_dims=2, residual_output=True), slices))
    state = {key: value.half() if value.is_floating_point() else value for key, value in whole.state_dict().items()}
    with replacing(Path(path)) as partial:
        torch.save(state, partial)


if __name__ == "__main__":
    run_command(assemble, "python -m scripts.studies.restorer.assemble")
