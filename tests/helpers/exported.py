# SPDX-License-Identifier: Apache-2.0
"""A small restorer with arbitrary weights, as PyTorch has it and as it is exported."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch

from scripts.inference.onnx_export import write_model
from scripts.networks import FieldNet, ResidualUNet, RestorerNet, SlabUNet, VerdictNet

SMALL: dict[str, Any] = {
    "_target_": "scripts.networks.RestorerNet",
    "volumes": {
        "_target_": "scripts.networks.SlabUNet",
        "channels": [8, 8, 8],
        "verdict": {"_target_": "scripts.networks.VerdictNet", "kinds": 9},
    },
    "slices": {"_target_": "scripts.networks.ResidualUNet", "spatial_dims": 2, "residual_output": True},
    "field": {"_target_": "scripts.networks.FieldNet"},
}
"""Its ``network_def``."""


@cache
def small_restorer() -> RestorerNet:
    """The network; it changes its input by some percent, and says that there is some noise and nothing was lost."""
    torch.manual_seed(3)
    volumes = SlabUNet(channels=(8, 8, 8), verdict=VerdictNet(kinds=9))
    network = RestorerNet(volumes, ResidualUNet(2, residual_output=True), FieldNet()).eval()
    with torch.no_grad():
        for parameter in (volumes.head.weight, volumes.heads, network.slices.head.weight):
            parameter.copy_(0.01 * torch.randn(parameter.shape))
        volumes.verdict.layers[-1].bias[6:8] = -9.0
        volumes.verdict.layers[-1].bias[3] -= 0.6  # so little that a bias field is undone where no noise is found
    return network


def write_small_restorer(folder: Path) -> tuple[Path, Path]:
    """Write it into a folder: the exported model and the weights."""
    weights = folder / "model.pt"
    torch.save(small_restorer().state_dict(), weights)
    return write_model("brain_mri_restorer", small_restorer(), folder / "onnx", "0" * 64).parent, weights
