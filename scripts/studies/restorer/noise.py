# SPDX-License-Identifier: Apache-2.0
"""Train the network for noise and lost voxels: ``python -m scripts.studies.restorer.noise DATA OUT``.

Damage is drawn anew for each step: from a pool of heads that were damaged once, a network learns the noise of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...corruptions import (
    Draws,
    EachSlice,
    RandBiasField,
    RandGaussianBlur,
    RandGaussianNoise,
    RandHoles,
    RandPixelDropout,
    RandRicianNoise,
)
from ...data.cohort import load_datalist
from ...inference.evaluator import load_network
from ...recipes.recipe import find_recipe, merged_config
from ...repairs.erased import fill_erased
from ..command_line import run_command, say
from .assemble import noise_network
from .fit import Batch, fit, weighted
from .measure import Damage, cases, psnr
from .verdict import loader

__all__ = ["measure", "train"]

CROP = (64, 64, 20)
"""Voxels of a part."""
BATCH = 4
TISSUE = 0.08
STD, VARIATION = (0.006, 0.11), (0.0, 0.7)
"""Of the noise: standard deviation, whose logarithm is uniform; see :class:`~scripts.corruptions.RandRicianNoise`."""
SCALE = (0.9, 1.04)
"""Of a part: noise and holes move the percentile by which a volume is divided."""
HOLE_WEIGHT = 0.2
"""Weight of a voxel that was lost with others: it is hard, and would outweigh the noise."""
TURNED, BIASED, STRIPPED = 0.15, 0.2, 0.1
"""Shares of the parts that are seen along another axis, unevenly bright, or without a skull."""
SHARES = {"noise": 0.55, "dropout": 0.2, "holes": 0.1, "mixed": 0.15}
NOISY = 0.6
"""Share of the parts with lost voxels that have noise as well."""


def train(
    dataset_dir: str,
    output_dir: str,
    minutes: float = 60.0,
    learning_rate: float = 1e-3,
    resume: bool = False,
    seed: int = 0,
) -> None:
    """Learn from random parts of training heads, and measure on validation heads.

    Args:
        dataset_dir: folder of the prepared cohort.
        output_dir: see :func:`~scripts.studies.restorer.fit.fit`.
        minutes: of the whole training.
        learning_rate: the highest.
        resume: go on from the checkpoint.
        seed: of all that is random.
    """
    torch.set_num_threads(1)
    load = loader(merged_config(find_recipe("restorer"), {"dataset_dir": dataset_dir}))
    heads = []
    for item in load_datalist(dataset_dir, "training"):
        head, brain, _ = load(item)
        heads.append((head.half(), brain))

    def draw(step: int) -> Batch:
        rng = np.random.default_rng([seed, step])
        parts = [_part(*heads[rng.integers(len(heads))], rng) for _ in range(BATCH)]
        images, targets = (torch.stack(some) for some in zip(*parts, strict=True))
        return images, targets, None

    torch.manual_seed(seed)
    fit(noise_network(), draw, Path(output_dir), minutes, learning_rate, resume)
    measure(dataset_dir, str(Path(output_dir) / "model.pt"))


@torch.no_grad()
def measure(dataset_dir: str, weights: str, heads: int = 4) -> None:
    """Say what the network does to validation heads.

    Args:
        dataset_dir: folder of the prepared cohort.
        weights: of the network.
        heads: number of heads.
    """
    network = load_network(noise_network(), weights, "cpu", amp=True)
    kinds: dict[str, list[Damage]] = {
        f"noise of {std:.1%}": [RandRicianNoise(std=[std, std])] for std in (0.0075, 0.015, 0.04, 0.08)
    }
    kinds["dropout"] = [RandPixelDropout(rate=[0.04, 0.04])]
    kinds["holes"] = [EachSlice([RandHoles(size=[10, 20], prob=0.3)])]
    kinds["mixed"] = [_mixed()]
    for name, steps in kinds.items():
        values = []
        for damaged, clean, inside in cases(dataset_dir, "validation", steps, heads):
            high = float(np.percentile(damaged.numpy(), 99.5))
            filled, mask = fill_erased(damaged / high, dark=name == "mixed")
            seen = torch.cat([filled, mask.float()], dim=1)
            size = clean.shape
            padded = torch.nn.functional.pad(seen, (0, 0, 0, -size[1] % 8, 0, -size[0] % 8))
            restored = network(padded)[0, 0, : size[0], : size[1]] * high
            values.append([psnr(one, clean, inside) for one in (damaged[0, 0], filled[0, 0] * high, restored)])
        before, repaired, after = np.array(values).T
        say(
            f"{name}: {before.mean():.2f} dB, filled {repaired.mean():.2f}, restored {after.mean():.2f}, "
            f"least gain {(after - before).min():+.2f}"
        )


def _mixed() -> EachSlice:
    """The damage of ``configs/train.yaml``."""
    steps = [
        RandPixelDropout(rate=[0, 0.05]),
        RandGaussianNoise(std=[0, 0.05]),
        RandHoles(size=[10, 38], prob=0.25),
        RandGaussianBlur(sigma=0.6, prob=0.15),
    ]
    return EachSlice(steps)


def _part(head: Tensor, brain: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A damaged part with what was filled in it, and its target."""
    clean = _varied(*_cut(head, brain, rng), rng)
    kind = rng.choice(list(SHARES), p=list(SHARES.values()))
    std = float(np.exp(rng.uniform(*np.log(STD))))
    noise = RandRicianNoise(std=[std, std], variation=VARIATION)
    steps: Sequence[Damage] = {
        "noise": [noise],
        "dropout": [RandPixelDropout(rate=[0.003, 0.1])],
        "holes": [EachSlice([RandHoles(size=[10, 30], prob=0.4)])],
        "mixed": [_mixed()],
    }[kind]
    if kind in ("dropout", "holes") and rng.random() < NOISY:
        steps = [*steps, noise] if kind == "dropout" else [noise, *steps]
    subject = torch.tensor([int(rng.integers(2**31))])
    damaged = clean[None, None]
    for step in steps:
        damaged = step(damaged, Draws(0, {"subject": subject, "slice": torch.tensor([0]), "epoch": 0}))
    lost = torch.zeros_like(clean, dtype=torch.bool)
    if kind != "noise":
        damaged, mask = fill_erased(damaged, dark=kind in ("mixed", "dropout"))
        lost = mask[0, 0]
    target = weighted(clean, (clean > TISSUE).float())
    near = torch.nn.functional.avg_pool3d(lost[None, None].float(), (3, 3, 1), 1, (1, 1, 0))[0, 0]
    target[1] *= torch.where(lost & (near > 0.5), HOLE_WEIGHT, 1.0)
    scale = float(rng.uniform(*SCALE))
    target[0] *= scale
    return torch.stack([damaged[0, 0] * scale, lost.float()]), target


def _cut(head: Tensor, brain: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A random part of a head that shows more than air, mirrored every second time, now and then along another axis."""
    if rng.random() < TURNED:
        axis = int(rng.integers(2))
        head, brain = head.movedim(2, axis), brain.movedim(2, axis)
    while True:
        part, inside = head, brain
        for axis, want in enumerate(CROP):
            start = int(rng.integers(part.shape[axis] - want + 1))
            part, inside = part.narrow(axis, start, want), inside.narrow(axis, start, want)
        part = part.float()
        if float((part > TISSUE).float().mean()) > 0.2 or rng.random() < 0.1:
            break
    return (part.flip(2), inside.flip(2)) if rng.random() < 0.5 else (part, inside)


def _varied(part: Tensor, brain: Tensor, rng: np.random.Generator) -> Tensor:
    """Another contrast, uneven brightness, no skull."""
    if rng.random() < STRIPPED:
        part = part * brain
    if rng.random() < 0.3:
        part = part.clamp(min=0) ** float(rng.uniform(0.75, 1.3))
    if rng.random() < BIASED:
        uneven = RandBiasField(strength=[0.1, 0.4], degree=2)
        keys = {"subject": torch.tensor([int(rng.integers(2**31))]), "slice": torch.tensor([0]), "epoch": 0}
        part = uneven(part[None, None], Draws(1, keys))[0, 0]
    return part


if __name__ == "__main__":
    run_command(train, "python -m scripts.studies.restorer.noise")
