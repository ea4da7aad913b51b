# SPDX-License-Identifier: Apache-2.0
"""Train the network of ``fill``: ``python -m scripts.studies.filling.training DATA``."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Orientationd, Spacingd
from torch import Tensor, nn

from ...anatomy.midplane import find_midplane
from ...corruptions import Draws, RandLesionHoles
from ...data.cohort import load_datalist
from ...files.atomic import replacing
from ...networks.hole_net import HoleNet, hole_features
from ...repairs import fill_smoothly
from ...transforms import CheckVolumed, LoadVolumed
from ..command_line import run_command, say

__all__ = ["heads", "lesion_holes", "train"]

SMALL, LARGE = ((4.0, 20.0), (8, 12)), ((6.0, 36.0), (3, 5))
"""Diameters in mm and numbers of holes; even draws have small ones."""
LEAST_ERROR = 0.004
"""Added to the squared error of the smooth filling of a draw, by which its voxels are weighted: decibels count."""
BATCH, RATE, DECAY = 2048, 2e-3, 0.02
KEPT = 0.995
"""Share of the averaged weights that stays in a step."""


def train(
    dataset_dir: str,
    path: str = "eval/filling/tissue_guess.pt",
    draws: int = 14,
    voxels: int = 1000,
    minutes: float = 8.0,
    seed: int = 0,
) -> None:
    """Describe the voxels of holes in the training heads, and train on them.

    Args:
        dataset_dir: folder of a cohort of heads of about 2 mm.
        path: file of the weights.
        draws: how many times each head gets holes; every second time it is mirrored.
        voxels: at most so many are taken of each time.
        minutes: time of the training alone.
        seed: of all that is random.
    """
    torch.manual_seed(seed)
    features, targets, weights = _examples(dataset_dir, draws, voxels, seed)
    say(f"{len(targets)} voxels")
    network = HoleNet()
    network.mean.copy_(features[::50].float().mean(dim=0))
    network.deviation.copy_(features[::50].float().std(dim=0) + 0.05)
    average = copy.deepcopy(network).eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    begin, step = time.monotonic(), 0
    while (passed := (time.monotonic() - begin) / (60 * minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, step / 100) * (1 + math.cos(math.pi * passed)) / 2
        some = torch.randint(0, len(targets), (BATCH,))
        loss = (weights[some] * (network.each(features[some].float()) - targets[some]).square()).mean(dim=1).sum()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        step += 1
        share = 1 - min(KEPT, (1 + step) / (10 + step))
        for own, new in zip(average.parameters(), network.parameters(), strict=True):
            own.lerp_(new.detach(), share)
    buffers = {name for name, _ in network.named_buffers()}
    state = {name: value if name in buffers else value.half() for name, value in average.state_dict().items()}
    with replacing(Path(path)) as partial:
        torch.save(state, partial)
    say(f"{step} steps: {path}")


@torch.no_grad()
def _examples(dataset_dir: str, draws: int, voxels: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Features, errors of the smooth filling, and weights of voxels of holes."""
    features, targets, weights = [], [], []
    for number, head in enumerate(heads(dataset_dir, "training")):
        for draw in range(draws):
            image = MetaTensor(head.as_tensor().flip(1), affine=head.affine) if draw // 2 % 2 else head
            holes = lesion_holes(image, seed + 1000 * number + draw, *(LARGE if draw % 2 else SMALL)).as_tensor()[0]
            clean = image.as_tensor()[0]
            filled = fill_smoothly(clean, holes, image.pixdim.tolist())
            plane = find_midplane(clean, holes)
            chosen = holes.nonzero()
            error = float((clean - filled)[holes].square().mean())
            chosen = chosen[torch.randperm(len(chosen))[:voxels]]
            features.append(hole_features(filled, holes, chosen, plane.mirrored).half())
            targets.append((clean - filled)[tuple(chosen.T)])
            weights.append(torch.full((len(chosen),), 1 / (error + LEAST_ERROR)))
    together = torch.cat(weights)
    return torch.cat(features), torch.cat(targets), together / together.mean()


def heads(dataset_dir: str, part: str, spacing_mm: float | Sequence[float] = 0) -> Iterator[MetaTensor]:
    """The heads of a cohort, ``(1, H, W, D)``: axes to the right, anterior and superior, 1 is the 99.5th percentile.

    Args:
        dataset_dir: folder of the cohort.
        part: training, validation or test.
        spacing_mm: voxel sizes to which they are interpolated; 0: their own.
    """
    steps = [LoadVolumed("image"), CheckVolumed("image"), Orientationd("image", axcodes="RAS", labels=None)]
    load = Compose([*steps, *([Spacingd("image", spacing_mm, mode="bilinear")] if spacing_mm else [])])
    for item in load_datalist(dataset_dir, part):
        head = load({"image": item["image"]})["image"]
        yield head / float(np.percentile(np.asarray(head), 99.5))


def lesion_holes(
    head: MetaTensor, seed: int, diameter_mm: Sequence[float] = (6.0, 20.0), number: Sequence[int] = (1, 3)
) -> MetaTensor:
    """Holes in a head, see :class:`~scripts.corruptions.RandLesionHoles`; boolean, the head's shape.

    Args:
        head: ``(1, H, W, D)``.
        seed: another one, other holes.
        diameter_mm: smallest and largest diameter.
        number: smallest and largest number.
    """
    spacing = head.pixdim.tolist()
    draws = Draws(0, {"subject": torch.tensor([seed]), "slice": torch.tensor([0]), "epoch": 0})
    make = RandLesionHoles(diameter_mm=diameter_mm, number=number, spacing_mm=spacing)
    return MetaTensor(make.mask(head.as_tensor()[None], draws)[0], affine=head.affine)


if __name__ == "__main__":
    run_command(train, "python -m scripts.studies.filling.training")
