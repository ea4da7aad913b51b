# SPDX-License-Identifier: Apache-2.0
"""Every kind of damage on held-out heads: ``python -m scripts.studies.restorer.measure DATA``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...anatomy.head_mask import head_mask
from ...corruptions import (
    Draws,
    EachSlice,
    RandBiasField,
    RandGaussianBlur,
    RandGaussianNoise,
    RandGhosting,
    RandGibbsRinging,
    RandHoles,
    RandKSpaceBlur,
    RandMotion,
    RandPixelDropout,
    RandRicianNoise,
    RandSpikes,
    RandThickSlices,
    RandUndersampling,
)
from ...data.cohort import load_datalist
from ...inference.evaluator import load_network
from ...inference.gate import Gate
from ...inference.volume_inferer import VolumeInferer
from ...networks import ResidualUNet, RestorerNet, SlabUNet, VerdictNet
from ...recipes.recipe import find_recipe, merged_config
from ..command_line import run_command, say
from .verdict import loader

__all__ = ["measure"]

WEIGHTS = Path(__file__).parents[3] / "bundle/brain_mri_restorer/model.pt"

Damage = Callable[[Tensor, Draws], Tensor]


def damages() -> dict[str, list[Damage]]:
    """Kinds of damage at the severity at which they are published, by what they are called."""
    steps: dict[str, list[Damage]] = {
        "undamaged": [],
        "Rician noise 1.5 %": [RandRicianNoise(std=[0.015, 0.015])],
        "Rician noise 4 %": [RandRicianNoise(std=[0.04, 0.04])],
        "Rician noise 8 %": [RandRicianNoise(std=[0.08, 0.08])],
        "4 % dropout": [RandPixelDropout(rate=[0.04, 0.04])],
        "blur, sigma 1 pixel": [EachSlice([RandKSpaceBlur(sigma=[1, 1])])],
        "the same with 1 % noise": [EachSlice([RandKSpaceBlur(sigma=[1, 1])]), RandRicianNoise(std=[0.01, 0.01])],
        "bias field +-30 %": [RandBiasField(strength=[0.3, 0.3], degree=2, inscribed=True)],
        "holes in 30 % of the slices": [EachSlice([RandHoles(size=[10, 20], prob=0.3)])],
        "mixed, as 0.1.0 was trained": [
            EachSlice(
                [
                    RandPixelDropout(rate=[0, 0.04]),
                    RandGaussianNoise(std=[0, 0.04]),
                    RandHoles(size=[10, 38], prob=0.2),
                    RandGaussianBlur(sigma=0.6, prob=0.1),
                ]
            )
        ],
        "motion, 2-4 poses": [RandMotion(degrees=3, millimetres=3, poses=[2, 4])],
        "ghosts, 40-70 %": [RandGhosting(scale=[0.4, 0.7])],
        "1-3 spikes": [RandSpikes(amplitude=[0.22, 0.5])],
        "Gibbs ringing, 40 % cut": [RandGibbsRinging(cut=[0.4, 0.4])],
        "slices three times as thick": [RandThickSlices(thickness=[3, 3])],
        "a third of the lines": [RandUndersampling([3, 3], [0.1, 0.1], "random")],
    }
    steps["noise 4 % and bias"] = [*steps["bias field +-30 %"], *steps["Rician noise 4 %"]]
    steps["dropout and motion"] = [*steps["motion, 2-4 poses"], *steps["4 % dropout"]]
    steps["thick slices and noise 1.5 %"] = [*steps["slices three times as thick"], *steps["Rician noise 1.5 %"]]
    steps["holes and Gibbs ringing"] = [*steps["Gibbs ringing, 40 % cut"], *steps["holes in 30 % of the slices"]]
    return steps


@torch.no_grad()
def measure(dataset_dir: str, part: str = "test", heads: int = 0, weights: str = str(WEIGHTS), seed: int = 7) -> None:
    """Print a table: PSNR in dB in the head's voxels of the slices with brain, mean over heads.

    Args:
        dataset_dir: folder of the prepared cohort.
        part: of the cohort.
        heads: number of heads; 0 takes all.
        weights: of the restorer.
        seed: of the damage.
    """
    restorer = RestorerNet(
        SlabUNet(channels=(64, 96, 96), verdict=VerdictNet(9)), ResidualUNet(spatial_dims=2, residual_output=True)
    )
    network = load_network(restorer, weights, "cpu", amp=True)
    load = loader(merged_config(find_recipe("restorer"), {"dataset_dir": dataset_dir}))
    items = load_datalist(dataset_dir, part)[: heads or None]
    gated, ungated = VolumeInferer(gate=Gate()), VolumeInferer(uncertainty=True)
    say("| damage | input | restored | without the gate | least gain of a head | verdicts |")
    say("|---|---|---|---|---|---|")
    for name, steps in damages().items():
        values: list[list[float]] = []
        verdicts: Counter[str] = Counter()
        for number, item in enumerate(items):
            clean, brain, _ = load(item)
            inside = torch.from_numpy(head_mask(clean.numpy())) & brain.flatten(0, 1).any(dim=0)
            keys: dict[str, Tensor | int] = {"subject": torch.tensor([number]), "slice": torch.tensor([0]), "epoch": 0}
            damaged = clean[None, None]
            for step in steps:
                damaged = step(damaged, Draws(seed, keys))
            high = float(np.percentile(damaged.numpy(), 99.5))
            results = [damaged] + [inferer(damaged / high, network)[:, :1] * high for inferer in (gated, ungated)]
            verdicts[gated.verdict.name if gated.verdict else ""] += 1
            values.append([_psnr(result[0, 0], clean, inside) for result in results])
        table = np.array(values)
        gain = float((table[:, 1] - table[:, 0]).min()) if steps else 0.0
        cells = [f"{column.mean():.1f} ± {column.std():.1f}" if steps else "-" for column in table.T[:1]]
        cells += [f"{column.mean():.1f} ± {column.std():.1f}" for column in table.T[1:]]
        say(f"| {name} | {' | '.join(cells)} | {gain:+.1f} | {', '.join(f'{n} {v}' for v, n in verdicts.items())} |")


def _psnr(volume: Tensor, clean: Tensor, inside: Tensor) -> float:
    error = (volume - clean)[inside].square().mean().clamp(min=1e-12)
    return float(-10 * torch.log10(error))


if __name__ == "__main__":
    run_command(measure, "python -m scripts.studies.restorer.measure")
