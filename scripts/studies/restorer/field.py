# SPDX-License-Identifier: Apache-2.0
"""Train the network for the bias field: ``python -m scripts.studies.restorer.field DATA PATH``."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...corruptions import Draws, RandBiasField
from ...corruptions.bias_field import bias_terms, ellipsoid, smooth_field
from ...data.cohort import load_datalist
from ...engines import RandVariants
from ...files.atomic import replacing
from ...networks import FieldNet
from ...networks.field_net import GRID, coarse_tissue
from ...recipes.recipe import find_recipe, merged_config
from ..command_line import run_command, say
from .measure import cases, psnr
from .verdict import loader

__all__ = ["train"]

BATCH, RATE, DECAY = 16, 1e-3, 1e-3
STRONGEST, UNTOUCHED = 0.65, 0.2
"""Strength of the strongest field that is learnt, and share of the heads without one."""
ROUGH = 0.03
"""Standard deviation of what else changes the mean of a cell."""
COPIES, SHIFTED = 6, 0.15
"""Turned copies of each head, and share of the field of view that is cut off or added at most."""
EVERY = 500
STRENGTHS = (0.0, 0.1, 0.2, 0.3, 0.6)


def train(dataset_dir: str, path: str = "eval/restorer/field.pt", minutes: float = 10.0, seed: int = 0) -> None:
    """Learn the fields of coarse training heads, whole and skull-stripped, and measure on validation heads.

    Args:
        dataset_dir: folder of the cohort, with masks and labels.
        path: file of the weights.
        minutes: time of the training.
        seed: of all that is random.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    load = loader(merged_config(find_recipe("restorer"), {"dataset_dir": dataset_dir}))
    coarse = []
    for row, item in enumerate(load_datalist(dataset_dir, "training")):
        head, brain, _ = load(item)
        coarse.append(_coarse(head, brain, row))
    heads = torch.cat(coarse)
    network = FieldNet()
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    begin, step, errors = time.monotonic(), 0, []
    while (passed := (time.monotonic() - begin) / (60 * minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * passed))
        total, share = _varied(heads[torch.randint(len(heads), (BATCH,))]).split(1, dim=1)
        field = _fields(BATCH)
        found = network(total * (field + ROUGH * torch.randn_like(field)).exp(), share)
        loss = ((found - field).square() * share).sum() / share.sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        errors.append((float(loss), float((field.square() * share).sum() / share.sum())))
        if step % EVERY == 0:
            left, there = np.sqrt(np.mean(errors, axis=0))
            say(f"step {step}, {60 * minutes * passed:.0f} s: root mean square {left:.4f} of {there:.4f} is left")
            errors.clear()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(Path(path)) as partial:
        torch.save(network.state_dict(), partial)
    _measure(network.eval(), dataset_dir)


def _fields(number: int) -> Tensor:
    """Random fields of degree 2 on the coarse grid."""
    field = smooth_field(2 * torch.rand(number, len(bias_terms(3, 2))) - 1, GRID, 2, inscribed=True)
    largest = (field * ellipsoid(GRID, field.device)).flatten(1).abs().amax(dim=1)
    strength = STRONGEST * torch.rand(number) * (torch.rand(number) >= UNTOUCHED)
    return field * (strength / largest).view(-1, 1, 1, 1, 1)


def _coarse(head: Tensor, brain: Tensor, row: int) -> Tensor:
    """A head as it is and turned, whole and skull-stripped, on the coarse grid."""
    turn = RandVariants(turn_prob=1.0)
    keys = {"subject": torch.tensor([row]), "slice": torch.tensor([0])}
    pairs: list[tuple[Tensor, Tensor | None]] = [(head[None, None], brain[None, None])] * 2
    pairs += [turn(head[None, None], brain[None, None], Draws(0, {**keys, "epoch": copy})) for copy in range(COPIES)]
    volumes = [volume for whole, mask in pairs for volume in (whole, whole if mask is None else whole * mask)]
    return torch.cat([torch.cat(coarse_tissue(volume), dim=1) for volume in volumes])


def _varied(heads: Tensor) -> Tensor:
    """Coarse heads with more or less around them, half of them mirrored."""
    if float(torch.rand(())) < 0.5:
        heads = heads.flip(4)
    margins = [round(float(torch.empty(()).uniform_(-SHIFTED, SHIFTED)) * size) for size in GRID[::-1] for _ in "ab"]
    return F.interpolate(F.pad(heads, margins), GRID, mode="trilinear", align_corners=False)


@torch.no_grad()
def _measure(network: FieldNet, dataset_dir: str) -> None:
    for strength in STRENGTHS:
        steps = [RandBiasField(strength=[strength, strength], degree=2, inscribed=True)] if strength else []
        rows = []
        for damaged, clean, inside in cases(dataset_dir, "validation", steps):
            undone, told = network.undo(damaged)
            rows.append([psnr(damaged[0, 0], clean, inside), psnr(undone[0, 0], clean, inside), float(told)])
        before, after, told = np.array(rows).T
        say(
            f"strength {strength}: {before.mean():.1f} dB, undone {after.mean():.1f}, least gain "
            f"{(after - before).min():+.1f}, told {told.min():.3f} to {told.max():.3f}"
        )


if __name__ == "__main__":
    run_command(train, "python -m scripts.studies.restorer.field")
