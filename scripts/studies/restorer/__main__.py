# SPDX-License-Identifier: Apache-2.0
"""Train the restorer from a pool of damaged heads: ``python -m scripts.studies.restorer POOL OUT``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...anatomy.damage_kinds import KINDS
from ...networks import VerdictNet
from ...recipes.weights import load_weights
from ..command_line import run_command
from .assemble import volume_network
from .fit import EVERY, Batch, fit, weighted
from .pool import DamagedHead, Pool

__all__ = ["train"]

CROP = (64, 64, 20)
"""Voxels of a part that is learnt from."""
BATCH = 4
TISSUE = 0.08


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
    network: Any = volume_network(load_weights(VerdictNet(len(KINDS)), verdict))
    pool = Pool(Path(pool_dir), size)

    def draw(step: int) -> Batch:
        if step % EVERY == 0:
            pool.update()
        return _batch(pool, network.verdict if verdict else None)

    fit(network, draw, Path(output_dir), minutes, learning_rate, resume)


def _batch(pool: Pool, verdict: nn.Module | None) -> Batch:
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
    return part[:2], weighted(part[2], tissue)


if __name__ == "__main__":
    run_command(train, "python -m scripts.studies.restorer")
