# SPDX-License-Identifier: Apache-2.0
"""Every kind of damage on held-out heads: ``python -m scripts.studies.restorer.measure DATA``."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
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
from ...evaluation.statistics import bootstrap_interval
from ...inference.evaluator import load_network
from ...inference.gate import Gate
from ...inference.volume_inferer import VolumeInferer
from ...metrics.restoration import peak_signal_to_noise_ratio
from ...recipes.recipe import find_recipe, merged_config
from ..command_line import run_command, say
from .assemble import restorer_network
from .verdict import loader

__all__ = ["Case", "cases", "damages", "measure", "psnr", "restorer"]

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


class Case(NamedTuple):
    """A damaged head."""

    damaged: Tensor
    """Shape ``(1, 1, H, W, D)``, 1 = the clean head's 99.5th percentile, as ``clean``, ``(H, W, D)``."""
    clean: Tensor
    inside: Tensor
    """The head in slices with brain, boolean, ``(H, W, D)``."""


def cases(dataset_dir: str, part: str, steps: Sequence[Damage], heads: int = 0, seed: int = 7) -> Iterator[Case]:
    """Damage the heads of a part.

    Args:
        dataset_dir: folder of the prepared cohort.
        part: of the cohort.
        steps: of the damage.
        heads: number of heads; 0 takes all.
        seed: of the damage.
    """
    load = loader(merged_config(find_recipe("restorer"), {"dataset_dir": dataset_dir}))
    for number, item in enumerate(load_datalist(dataset_dir, part)[: heads or None]):
        clean, brain, _ = load(item)
        inside = torch.from_numpy(head_mask(clean.numpy())) & brain.flatten(0, 1).any(dim=0)
        keys: dict[str, Tensor | int] = {"subject": torch.tensor([number]), "slice": torch.tensor([0]), "epoch": 0}
        damaged = clean[None, None]
        for step in steps:
            damaged = step(damaged, Draws(seed, keys))
        yield Case(damaged, clean, inside)


def restorer(weights: str) -> Any:
    """The restorer with its weights, ready for inference."""
    return load_network(restorer_network(), weights, "cpu", amp=True)


@torch.no_grad()
def measure(
    dataset_dir: str,
    part: str = "test",
    heads: int = 0,
    only: Sequence[str] = (),
    weights: str = str(WEIGHTS),
    seed: int = 7,
    people: bool = False,
) -> None:
    """Print a table: PSNR in dB in the head's voxels of the slices with brain, and what its intervals hold; means.

    Args:
        dataset_dir: folder of the prepared cohort.
        part: of the cohort.
        heads: number of heads; 0 takes all.
        only: damage of the table; by default all.
        weights: of the restorer.
        seed: of the damage.
        people: print a second table, of the PSNR of restored heads by sex and age.
    """
    network = restorer(weights)
    groups = _groups(load_datalist(dataset_dir, part)[: heads or None])
    by_group: dict[str, list[str]] = {}
    widths = network.spread.widths
    gated, ungated = VolumeInferer(gate=Gate(), uncertainty=True), VolumeInferer()
    say("| damage | input | restored | without the gate | least gain of a head | verdicts | in 50/90/99 % | by error |")
    say("|---|---|---|---|---|---|---|---|")
    for name, steps in damages().items():
        if only and name not in only:
            continue
        values: list[list[float]] = []
        intervals: list[list[float]] = []
        verdicts: Counter[str] = Counter()
        for damaged, clean, inside in cases(dataset_dir, part, steps, heads, seed):
            high = float(np.percentile(damaged.numpy(), 99.5))
            result = gated(damaged / high, network) * high
            plain = ungated(damaged / high, network)[:, :1] * high
            verdicts[gated.verdict.name if gated.verdict else ""] += 1
            values.append([psnr(one[0, 0], clean, inside) for one in (damaged, result, plain)])
            error, sd = (result[0, 0] - clean).abs()[inside], result[0, 2][inside]
            if sd.isfinite().all() and error.any():
                change = (result[0, 0] - damaged[0, 0]).abs()[inside]
                intervals.append([*_held(error, sd, widths), _ranking(error, sd), _ranking(error, change)])
        table = np.array(values)
        by_group[name] = [_mean(table[there, 1]) for there in groups.values()] if people else []
        gain = float((table[:, 1] - table[:, 0]).min()) if steps else 0.0
        cells = [f"{column.mean():.1f} ± {column.std():.1f}" if steps else "-" for column in table.T[:1]]
        cells += [_mean(table[:, 1]), f"{table[:, 2].mean():.1f}"]
        cells += [f"{gain:+.1f}", ", ".join(f"{n} {v}" for v, n in verdicts.items())]
        if intervals:
            held = 100 * np.array(intervals).mean(axis=0)
            cells += ["/".join(f"{one:.0f}" for one in held[:3]), f"{held[3]:.0f} ({held[4]:.0f})"]
        else:  # no voxel is wrong
            cells += ["-", "-"]
        say(f"| {name} | {' | '.join(cells)} |")
    if people:
        say(f"| damage | {' | '.join(groups)} |\n|---|{'---|' * len(groups)}")
        for name, found in by_group.items():
            say(f"| {name} | {' | '.join(found)} |")


def _groups(items: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[np.bool_]]:
    """Which heads are of each sex and of each third of the ages."""
    sexes, ages = (np.array([item.get(key) for item in items]) for key in ("sex", "age"))
    groups = {f"{sex} ({np.sum(sexes == sex)})": sexes == sex for sex in sorted({sex for sex in sexes if sex})}
    years = np.array([np.nan if age is None else float(age) for age in ages])
    if np.isfinite(years).sum() >= 3:
        limits = [-np.inf, *np.nanquantile(years, (1 / 3, 2 / 3)), np.inf]
        for low, high in itertools.pairwise(limits):
            there = (years > low) & (years <= high)
            groups[f"{years[there].min():.0f} to {years[there].max():.0f} years ({there.sum()})"] = there
    return groups


def _mean(values: NDArray[np.floating]) -> str:
    low, high = bootstrap_interval(values)
    return f"{values.mean():.1f} [{low:.1f}, {high:.1f}]"


def psnr(volume: Tensor, clean: Tensor, inside: Tensor) -> float:
    """PSNR in dB of the voxels ``inside``, of two volumes of the same shape, peak 1."""
    return peak_signal_to_noise_ratio(max(1e-12, float((volume - clean)[inside].square().mean())))


def _held(error: Tensor, sd: Tensor, widths: Tensor) -> list[float]:
    """Shares of the voxels whose intervals hold the truth."""
    return [float((error <= width * sd).float().mean()) for width in widths]


def _ranking(error: Tensor, guess: Tensor) -> float:
    """How much of the way from a constant to the errors themselves a guess goes in ordering voxels by their error.

    By the area under the sparsification curve: mean square error of what is left as the voxels with the largest guess
    are taken out.
    """
    square = error.square()

    def area(order: Tensor) -> float:
        kept = square[order].flip(0).cumsum(0) / torch.arange(1, len(square) + 1)
        return float(kept.mean() / square.mean())

    least = area(error.argsort(descending=True))
    shuffled = guess[order := torch.randperm(len(guess), generator=torch.Generator().manual_seed(0))]  # ties
    return (1 - area(order[shuffled.argsort(descending=True, stable=True)])) / (1 - least)


if __name__ == "__main__":
    run_command(measure, "python -m scripts.studies.restorer.measure")
