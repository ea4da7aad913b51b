# SPDX-License-Identifier: Apache-2.0
"""Train the verdict on a pool of damaged heads: ``python -m scripts.studies.restorer.verdict DATA POOL PATH``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from monai.transforms import Compose, LoadImage, Orientation
from torch import Tensor

from ...anatomy.damage_kinds import KINDS
from ...data.cohort import load_datalist
from ...files.atomic import replacing
from ...inference.gate import Gate
from ...networks import VerdictNet
from ...networks.volume_statistics import volume_statistics
from ...recipes.recipe import find_recipe, merged_config
from ...transforms import plane_axcodes
from ..command_line import run_command, say
from .strangers import sound_heads, strangers

__all__ = ["loader", "train"]

BATCH, RATE, DECAY, JITTER, EPOCHS = 128, 2e-3, 1e-2, 0.1, 300
DROPOUT = 0.2
SOUND = ("cropped", "padded")
"""Heads that are known to have no damage; turned ones are interpolated."""


def train(dataset_dir: str, pool_dir: str, path: str = "eval/restorer/verdict.pt", validation_dir: str = "") -> None:
    """Fit levels of damage and the probability of lying outside of the training.

    Args:
        dataset_dir: folder of the cohort, with labels and masks.
        pool_dir: folder of its damaged training heads.
        path: file of the weights.
        validation_dir: folder of damaged validation heads, on which the fit is measured.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    statistics, levels = _of_pool(pool_dir)
    others, known, _ = _of_cohort(dataset_dir, "training")
    inputs = torch.cat([statistics, others])
    targets = torch.cat([F.pad(levels, (0, 1)), known])
    say(f"{len(statistics)} damaged heads, {len(others)} sound ones and strangers")
    network = _fitted(inputs, targets)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(Path(path)) as partial:
        torch.save(network.state_dict(), partial)
    if validation_dir:
        _measure(network, validation_dir, dataset_dir)


def _fitted(inputs: Tensor, targets: Tensor) -> VerdictNet:
    """Fit by binary cross-entropy; a target that is not known is NaN."""
    network = VerdictNet(len(KINDS), dropout=DROPOUT)
    network.mean.copy_(inputs.mean(dim=0))
    network.variance.copy_(inputs.var(dim=0))
    layers = network.layers.train()
    optimiser = torch.optim.AdamW(layers.parameters(), RATE, weight_decay=DECAY)
    normal = network.normalised(inputs)
    steps = EPOCHS * len(inputs) // BATCH
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        rows = torch.randint(len(inputs), (BATCH,))
        odds = layers(normal[rows] + JITTER * torch.randn(BATCH, normal.shape[1]))
        told = ~targets[rows].isnan()
        loss = F.binary_cross_entropy_with_logits(odds[told], targets[rows][told])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()


def _of_pool(folder: str) -> tuple[Tensor, Tensor]:
    told = []
    for path in sorted(Path(folder).glob("[0-9]*.pt")):
        head = torch.load(path, weights_only=True)
        told.append((head["statistics"], head["levels"]))
    statistics, levels = zip(*told, strict=True)
    return torch.stack(statistics), torch.stack(levels)


def _of_cohort(dataset_dir: str, part: str) -> tuple[Tensor, Tensor, list[str]]:
    """Statistics, targets and names of sound heads and strangers made of a part of the cohort."""
    parser = merged_config(find_recipe("restorer"), {"dataset_dir": dataset_dir})
    load = loader(parser)
    rng = np.random.default_rng(0)
    statistics, targets, names = [], [], []
    for item in load_datalist(dataset_dir, part):
        head, brain, labels = load(item)
        made = [(name, volume, 0.0) for name, volume in sound_heads(head, brain, rng)]
        made += [(name, volume, 1.0) for name, volume in strangers(head, brain, labels, rng)]
        for name, volume, outside in made:
            high = volume.flatten().kthvalue(max(1, int(0.995 * volume.numel()))).values.clamp(min=1e-3)
            statistics.append(volume_statistics((volume / high)[None, None].float())[0].nan_to_num())
            level = 0.0 if name in SOUND else math.nan
            targets.append(torch.tensor([level] * len(KINDS) + [outside]))
            names.append(name)
    return torch.stack(statistics), torch.stack(targets), names


def loader(config: dict[str, Any]) -> Any:
    """A function from an item of a cohort to its head, 99.5th percentile 1, brain mask and labels, ``(H, W, D)``."""
    turn = Compose([LoadImage(ensure_channel_first=True), Orientation(plane_axcodes(config["plane"]), labels=None)])

    def load(item: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        head, mask, labels = (turn(item[key]).as_tensor()[0].float() for key in ("image", "mask", "label"))
        return head / float(np.percentile(head.numpy(), 99.5)), mask > 0, labels

    return load


@torch.no_grad()
def _measure(network: VerdictNet, validation_dir: str, dataset_dir: str) -> None:
    """Say how well levels are told, and how many volumes of each kind are called strangers."""
    statistics, levels = _of_pool(validation_dir)
    limit = Gate().outside
    found = torch.sigmoid(network(statistics))
    for column, kind in enumerate(KINDS):
        correlation = np.corrcoef(found[:, column], levels[:, column])[0, 1]
        say(f"{kind}: correlation {correlation:.2f}")
    say(f"damaged heads called strangers: {int((found[:, -1] > limit).sum())} of {len(found)}")
    others, _, names = _of_cohort(dataset_dir, "test")
    outside = torch.sigmoid(network(others))[:, -1] > limit
    for name in dict.fromkeys(names):
        rows = [row for row, one in enumerate(names) if one == name]
        say(f"{name}: {int(outside[rows].sum())} of {len(rows)}")


if __name__ == "__main__":
    run_command(train, "python -m scripts.studies.restorer.verdict")
