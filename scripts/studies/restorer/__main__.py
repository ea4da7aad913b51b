# SPDX-License-Identifier: Apache-2.0
"""Train the restorer from a pool of damaged heads: ``python -m scripts.studies.restorer POOL OUT``."""

from __future__ import annotations

import copy
import csv
import math
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...anatomy.damage_kinds import KINDS
from ...engines import accelerate, bfloat16_pays
from ...files.atomic import replacing
from ...losses import RestorationLoss
from ...networks import VerdictNet
from ...recipes.weights import load_weights
from ..command_line import run_command, say
from .assemble import volume_network
from .pool import DamagedHead, Pool

__all__ = ["train"]

CROP = (64, 64, 20)
"""Voxels of a part that is learnt from."""
BATCH = 4
WARM_UP = 300
"""Steps in which the rate rises."""
KEPT = 0.998
"""Share of the averaged weights that stays in a step."""
EVERY = 250
"""Steps between two looks at the pool and two lines of the log."""
TISSUE, AIR_WEIGHT = 0.08, 0.1


def train(
    pool_dir: str,
    output_dir: str,
    minutes: float = 60.0,
    learning_rate: float = 1e-3,
    size: int = 500,
    verdict: str = "",
    resume: bool = False,
    threads: int = 1,
    seed: int = 0,
) -> None:
    """Learn from random parts of the heads of a pool, and write the moving average of the weights now and then.

    Args:
        pool_dir: folder of the pool, which may grow meanwhile.
        output_dir: folder of ``model.pt``, ``checkpoint.pt`` and ``history.csv``.
        minutes: time of the whole training, of which the rate of learning is a cosine.
        learning_rate: the highest.
        size: heads that are kept in memory.
        verdict: weights of a verdict that tells the levels; without, they are those that were drawn.
        resume: go on from the checkpoint.
        threads: of the computation.
        seed: of all that is random.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    folder = Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    network: Any = volume_network(load_weights(VerdictNet(len(KINDS)), verdict))
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
    pool, loss_function = Pool(Path(pool_dir), size), RestorationLoss()
    pool.update()
    losses: list[tuple[float, float]] = []
    begin = time.monotonic() - elapsed
    network.train()
    while (passed := (time.monotonic() - begin) / (60 * minutes)) < 1:
        rate = learning_rate * min(1.0, (step + 1) / WARM_UP) * max(0.5 * (1 + math.cos(math.pi * passed)), 1e-3)
        for group in optimiser.param_groups:
            group["lr"] = rate
        images, targets, levels = _batch(pool, network.verdict if verdict else None)
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
            pool.update()
            _note(folder, step, time.monotonic() - begin, rate, losses, len(pool.seen))
            losses.clear()
        if step % (4 * EVERY) == 0:
            _save(folder, network, average, optimiser, time.monotonic() - begin, step)
    _save(folder, network, average, optimiser, time.monotonic() - begin, step)


def _batch(pool: Pool, verdict: nn.Module | None) -> tuple[Tensor, Tensor, Tensor]:
    """Images and masks, targets and weights, levels."""
    heads = list(pool.heads.values())
    chosen = [heads[number] for number in torch.randint(len(heads), (BATCH,)).tolist()]
    parts = [_part(head) for head in chosen]
    if verdict is None:
        levels = torch.stack([head["levels"] for head in chosen])
    else:
        with torch.no_grad():
            levels = torch.sigmoid(verdict(torch.stack([head["statistics"] for head in chosen])))[:, :-1]
    images, targets = (torch.stack(some) for some in zip(*parts, strict=True))
    return images, targets, levels


def _part(head: DamagedHead) -> tuple[Tensor, Tensor]:
    """A random part of a head, mirrored every second time, that shows more than air."""
    volumes = torch.stack([head["image"], head["filled"].half(), head["clean"]])
    while True:
        first = [int(torch.randint(max(1, n - want + 1), ())) for n, want in zip(volumes.shape[1:], CROP, strict=True)]
        part = volumes
        for axis, (start, want) in enumerate(zip(first, CROP, strict=True)):
            part = part.narrow(axis + 1, start, min(want, part.shape[axis + 1]))
        part = part.float()
        tissue = (part[2] > TISSUE).float()
        if float(tissue.mean()) > 0.2 or float(torch.rand(())) < 0.1:
            break
    if float(torch.rand(())) < 0.5:
        part, tissue = part.flip(3), tissue.flip(2)
    weight = tissue + AIR_WEIGHT * (1 - tissue)
    return part[:2], torch.stack([part[2], weight])


def _note(folder: Path, step: int, seconds: float, rate: float, losses: list[tuple[float, float]], heads: int) -> None:
    mean, untouched = (sum(column) / len(losses) for column in zip(*losses, strict=True))
    line = [step, round(seconds), f"{rate:.2e}", f"{mean:.4f}", f"{untouched:.4f}", heads]
    new = not (folder / "history.csv").exists()
    with (folder / "history.csv").open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(["step", "seconds", "learning_rate", "loss", "loss_untouched", "heads"])
        writer.writerow(line)
    say(f"step {step}, {seconds / 60:.1f} min: loss {mean:.4f}, of what was given {untouched:.4f}, {heads} heads")


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


if __name__ == "__main__":
    run_command(train, "python -m scripts.studies.restorer")
