# SPDX-License-Identifier: Apache-2.0
"""The restorer of its parts: ``python -m scripts.studies.restorer.assemble VOLUMES VERDICT SLICES FIELD PATH``."""

from __future__ import annotations

from pathlib import Path

import torch

from ...anatomy.damage_kinds import KINDS
from ...files.atomic import replacing
from ...networks import FieldNet, ResidualUNet, RestorerNet, SlabUNet, VerdictNet
from ...recipes.weights import load_weights
from ..command_line import run_command

__all__ = ["assemble", "restorer_network", "volume_network"]


def volume_network(verdict: VerdictNet) -> SlabUNet:
    """The network for all kinds of damage."""
    return SlabUNet(channels=(64, 96, 96), verdict=verdict)


def restorer_network() -> RestorerNet:
    """The restorer of ``configs/net/restorer.yaml``."""
    slices = ResidualUNet(spatial_dims=2, residual_output=True)
    return RestorerNet(volume_network(VerdictNet(len(KINDS))), slices, FieldNet())


def assemble(volumes: str, verdict: str, slices: str, field: str, path: str) -> None:
    """Write the weights of the whole restorer in half precision.

    Args:
        volumes: weights of the network for volumes, see :mod:`scripts.studies.restorer`.
        verdict: those of its verdict.
        slices: those of the network for slices.
        field: those of the network for the bias field, see :mod:`scripts.studies.restorer.field`.
        path: file that is written.
    """
    whole = restorer_network()
    load_weights(whole.volumes, volumes)
    load_weights(whole.verdict, verdict)
    load_weights(whole.slices, slices)
    load_weights(whole.field, field)
    state = {key: value.half() if value.is_floating_point() else value for key, value in whole.state_dict().items()}
    with replacing(Path(path)) as partial:
        torch.save(state, partial)


if __name__ == "__main__":
    run_command(assemble, "python -m scripts.studies.restorer.assemble")
