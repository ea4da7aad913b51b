# SPDX-License-Identifier: Apache-2.0
"""What fast arithmetic costs: the published weights on damaged slices of test subjects, in several arithmetics."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..metrics.restoration import peak_signal_to_noise_ratio
from .configs import DEFAULT_NETWORK, inference_config, train_config
from .task import Task

__all__ = ["Accuracy", "measure_accuracy"]


@dataclass(frozen=True)
class Accuracy:
    """One way to compute.

    Attributes:
        name: which.
        slices: number of slices.
        psnr: of the mean squared error of all their pixels, in dB.
        largest_difference: of a pixel from the plain network's, 1 = the volume's 99.5th percentile.
    """

    name: str
    slices: int
    psnr: float
    largest_difference: float


def measure_accuracy(task: Task) -> list[Accuracy]:
    """Restore the same damaged slices with the network as configured, in both precisions, and plain.

    The plain network is the class itself with the published weights: float32, nothing folded.

    Args:
        task: its sample's test subjects are restored; its network does not matter.

    Returns:
        The plain network first.
    """
    task = dataclasses.replace(task, network=DEFAULT_NETWORK)
    damaged, clean = _damaged_slices(task)
    config = inference_config(task)
    plain = config.get_parsed_content("network_def").to(task.device)
    plain.load_state_dict(torch.load(config.get_parsed_content("weights"), weights_only=True))
    networks = {
        "plain float32": plain.eval(),
        "float32, all else on": inference_config(task, amp=False).get_parsed_content("network"),
        "bfloat16, all else on": inference_config(task, amp=True).get_parsed_content("network"),
        "as configured": inference_config(task).get_parsed_content("network"),
    }
    restored = {name: _restore(network, damaged) for name, network in networks.items()}
    reference = restored["plain float32"]
    return [
        Accuracy(
            name,
            len(clean),
            peak_signal_to_noise_ratio(float((image - clean).square().mean())),
            float((image - reference).abs().max()),
        )
        for name, image in restored.items()
    ]


def _damaged_slices(task: Task) -> tuple[Tensor, Tensor]:
    """Slices of the test subjects, damaged and clean, ``(N, 1, H, W)``."""
    held_out: dict[str, Any] = {"validate#datalist#part": "test"}
    config = train_config(task, **held_out)
    prepare_batch = config.get_parsed_content("validate#evaluator").prepare_batch
    loader = config.get_parsed_content("validate#dataloader")
    pairs = [prepare_batch(batch, torch.device(task.device)) for batch in loader]
    damaged, clean = (torch.cat(images) for images in zip(*pairs, strict=True))
    return damaged, clean


@torch.no_grad()
def _restore(network: nn.Module, images: Tensor, batch_size: int = 16) -> Tensor:
    return torch.cat([network(batch) for batch in images.split(batch_size)])
