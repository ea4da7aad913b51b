# SPDX-License-Identifier: Apache-2.0
"""What fast arithmetic costs: the published weights on damaged slices of test subjects, in several arithmetics."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from ...metrics.restoration import peak_signal_to_noise_ratio
from ...recipes.weights import load_weights
from .ours import DEFAULT_NETWORK, Task, inference_config, train_config

__all__ = ["measure_accuracy"]

BATCH_SIZE = 16


@torch.no_grad()
def measure_accuracy(task: Task) -> list[dict[str, Any]]:
    """Restore the same damaged slices with the network as configured, in both precisions, and plain.

    The plain network is the class itself with the published weights: float32, nothing folded.

    Args:
        task: its sample's test subjects are restored; its network does not matter.

    Returns:
        For each arithmetic, the plain one first, its name, the number of ``slices``, the ``psnr`` of the mean squared
        error of all their pixels in dB, and the ``largest_difference`` of a pixel from the plain network's (1 = the
        volume's 99.5th percentile).
    """
    task = replace(task, network=DEFAULT_NETWORK)
    held_out: dict[str, Any] = {"validate#datalist#part": "test"}
    training = train_config(task, **held_out)
    prepare_batch = training.get_parsed_content("validate#evaluator").prepare_batch
    loader = training.get_parsed_content("validate#dataloader")
    pairs = [prepare_batch(batch, torch.device(task.device)) for batch in loader]
    damaged, clean = (torch.cat(images) for images in zip(*pairs, strict=True))
    config = inference_config(task)
    plain = load_weights(config.get_parsed_content("network_def"), config.get_parsed_content("weights"))
    networks = {
        "plain float32": plain.to(task.device).eval(),
        "float32, all else on": inference_config(task, amp=False).get_parsed_content("network"),
        "bfloat16, all else on": inference_config(task, amp=True).get_parsed_content("network"),
        "as configured": config.get_parsed_content("network"),
    }
    restored = {
        name: torch.cat([network(batch) for batch in damaged.split(BATCH_SIZE)]) for name, network in networks.items()
    }
    return [
        {
            "arithmetic": name,
            "slices": len(clean),
            "psnr": peak_signal_to_noise_ratio(float((image - clean).square().mean())),
            "largest_difference": float((image - restored["plain float32"]).abs().max()),
        }
        for name, image in restored.items()
    ]
