# SPDX-License-Identifier: Apache-2.0
"""Train a network for volumes on one CPU core."""

from __future__ import annotations

import copy
import csv
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from ...engines import accelerate, bfloat16_pays
from ...files.atomic import replacing
from ...losses import RestorationLoss
from ..command_line import say

__all__ = ["EVERY", "Batch", "fit", "weighted"]

WARM_UP = 300
"""Steps in which the rate rises."""
KEPT = 0.998
"""Share of the averaged weights that stays in a step."""
EVERY = 250
"""Steps between two lines of the log."""
AIR_WEIGHT = 0.1
Batch: TypeAlias = tuple[Tensor, Tensor, Tensor | None]
"""Images and masks, clean images and weights, both ``(B, 2, H, W, D)``, and levels of damage, ``(B, kinds)``."""


def fit(
    network: Any,
    draw: Callable[[int], Batch],
    folder: Path,
    minutes: float,
    learning_rate: float = 1e-3,
    resume: bool = False,
) -> None:
    """Train by AdamW, and write the moving average of the weights now and then.

    Args:
        network: a :class:`~scripts.networks.SlabUNet`.
        draw: gives the batch of a step.
        folder: folder of ``model.pt``, ``checkpoint.pt`` and ``history.csv``.
        minutes: time of the whole training, of which the rate of learning is a cosine.
        learning_rate: the highest.
        resume: go on from the checkpoint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    network = accelerate(network, "cpu", bfloat16_pays("cpu"))
    parameters = [one for one in network.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(parameters, learning_rate, weight_decay=1e-4, fused=True)
    average = copy.deepcopy(network.state_dict())
    elapsed, step = 0.0, 0
    if resume:
        state = torch.load(folder / "checkpoint.pt", weights_only=True)
        mine = {key: value for key, value in state["network"].items() if not key.startswith("verdict.")}
        network.load_state_dict({**network.state_dict(), **mine})
        average.update({key: value for key, value in state["average"].items() if key in mine})
        optimiser.load_state_dict(state["optimiser"])
        elapsed, step = state["elapsed"], state["step"]
    loss_function, losses = RestorationLoss(), list[tuple[float, float]]()
    begin = time.monotonic() - elapsed
    network.train()
    while (passed := (time.monotonic() - begin) / (60 * minutes)) < 1:
        rate = learning_rate * min(1.0, (step + 1) / WARM_UP) * max(0.5 * (1 + math.cos(math.pi * passed)), 1e-3)
        for group in optimiser.param_groups:
            group["lr"] = rate
        images, targets, levels = draw(step)
        prediction = network(images, levels)
        loss = loss_function(prediction, targets)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        step += 1
        with torch.no_grad():
            for key, value in network.state_dict().items():
                average[key].lerp_(value, 1 - min(KEPT, step / (step + 10))) if value.is_floating_point() else None
            untouched = torch.cat([images[:, :1], prediction[:, 1:]], dim=1)
            losses.append((float(loss), float(loss_function(untouched, targets))))
        if step % EVERY == 0:
            _note(folder, step, time.monotonic() - begin, rate, losses)
            losses.clear()
        if step % (4 * EVERY) == 0:
            _save(folder, network, average, optimiser, time.monotonic() - begin, step)
    _save(folder, network, average, optimiser, time.monotonic() - begin, step)


def weighted(clean: Tensor, tissue: Tensor) -> Tensor:
    """A clean image with the weight of each voxel, 1 in tissue: the target of a part, ``(2, H, W, D)``."""
    return torch.stack([clean, tissue + AIR_WEIGHT * (1 - tissue)])


def _note(folder: Path, step: int, seconds: float, rate: float, losses: list[tuple[float, float]]) -> None:
    mean, untouched = (sum(column) / len(losses) for column in zip(*losses, strict=True))
    line = [step, round(seconds), f"{rate:.2e}", f"{mean:.4f}", f"{untouched:.4f}"]
    new = not (folder / "history.csv").exists()
    with (folder / "history.csv").open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(["step", "seconds", "learning_rate", "loss", "loss_untouched"])
        writer.writerow(line)
    say(f"step {step}, {seconds / 60:.1f} min: loss {mean:.4f}, of what was given {untouched:.4f}")


def _save(
    folder: Path,
    network: nn.Module,
    average: dict[str, Tensor],
    optimiser: torch.optim.Optimizer,
    elapsed: float,
    step: int,
) -> None:
    state = {
        "network": network.state_dict(),
        "average": average,
        "optimiser": optimiser.state_dict(),
        "elapsed": elapsed,
        "step": step,
    }
    for name, content in (("checkpoint.pt", state), ("model.pt", average)):
        with replacing(folder / name) as partial:
            torch.save(content, partial)
