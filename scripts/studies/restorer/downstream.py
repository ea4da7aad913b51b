# SPDX-License-Identifier: Apache-2.0
"""What others measure in restored heads: ``python -m scripts.studies.restorer.downstream DATA``."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture
from torch import Tensor

from ...data.cohort import load_datalist
from ...evaluation.statistics import bootstrap_interval
from ...inference.brain_mask import BrainMasker
from ...inference.gate import Gate
from ...inference.volume_inferer import VolumeInferer
from ...metrics.dice import dice
from ...recipes.recipe import find_recipe, merged_config
from ..command_line import run_command, say
from .measure import WEIGHTS, cases, damages, restorer
from .verdict import loader

__all__ = ["compare"]

DAMAGES = (
    "undamaged", "Rician noise 4 %", "Rician noise 8 %", "4 % dropout", "blur, sigma 1 pixel", "bias field +-30 %",
    "ghosts, 40-70 %", "1-3 spikes", "mixed, as 0.1.0 was trained", "motion, 2-4 poses",
)  # fmt: skip
TISSUES = ("fluid", "grey", "white")
"""Classes of a mixture of three normal distributions, from dark to bright."""
SAMPLE = 20_000
"""Voxels that the mixture is fitted to."""
SAGITTAL = np.array([[0.0, 0, 2, 0], [0, -2, 0, 0], [-2, 0, 0, 0], [0, 0, 0, 1]])
"""Affine of the prepared heads as slices: rows to inferior, columns to posterior, slices to the right, 2 mm."""


def compare(dataset_dir: str, part: str = "test", heads: int = 12, weights: str = str(WEIGHTS), seed: int = 7) -> None:
    """Print a table: Dice with the clean head's own result, and the change of volume in %, damaged and restored.

    Brain masks are those of the shipped network; tissues those of a mixture of three normal distributions, fitted anew
    to the intensities of each volume within the brain of the labels.

    Args:
        dataset_dir: folder of the prepared cohort, with labels.
        part: of the cohort.
        heads: number of heads.
        weights: of the restorer.
        seed: of the damage.
    """
    network, inferer, masker = restorer(weights), VolumeInferer(gate=Gate()), BrainMasker()
    load = loader(merged_config(find_recipe("restorer"), {"dataset_dir": dataset_dir}))
    brains = [load(item)[1].numpy() for item in load_datalist(dataset_dir, part)[:heads]]
    say("| damage | structure | Dice damaged | Dice restored | volume damaged, % | volume restored, % |")
    say("|---|---|---|---|---|---|")
    for name in DAMAGES:
        table: dict[str, list[list[float]]] = defaultdict(list)
        for case, brain in zip(cases(dataset_dir, part, damages()[name], heads, seed), brains, strict=True):
            high = float(np.percentile(case.damaged.numpy(), 99.5))
            result = inferer(case.damaged / high, network)[0, 0] * high
            clean, *others = (_structures(volume, brain, masker) for volume in (case.clean, case.damaged[0, 0], result))
            for structure, mask in clean.items():
                found = [other[structure] for other in others]
                values = [float(dice(one, mask)) for one in found]
                table[structure].append(values + [100 * (one.sum() / mask.sum() - 1) for one in found])
        for structure, rows in table.items():
            cells = [
                f"{column.mean():{form}} [{low:{form}}, {high:{form}}]"
                for column, form in zip(np.array(rows).T, (".3f", ".3f", "+.1f", "+.1f"), strict=True)
                for low, high in [bootstrap_interval(column)]
            ]
            say(f"| {name} | {structure} | {' | '.join(cells)} |")


def _structures(volume: Tensor, brain: NDArray[np.bool_], masker: BrainMasker) -> dict[str, NDArray[np.bool_]]:
    """Brain and tissues of a volume ``(H, W, D)``."""
    found = {"brain mask": masker(MetaTensor(volume[None], affine=torch.from_numpy(SAGITTAL)))[0].numpy()}
    values = volume.numpy()[brain][:, None]
    rng = np.random.default_rng(0)
    means = np.quantile(values, (0.08, 0.4, 0.8))[:, None]
    mixture = GaussianMixture(3, means_init=means, random_state=0).fit(rng.choice(values, SAMPLE))
    classes = np.argsort(np.argsort(mixture.means_[:, 0]))[mixture.predict(values)]
    for number, tissue in enumerate(TISSUES):
        mask = np.zeros_like(brain)
        mask[brain] = classes == number
        found[tissue] = mask
    return found


if __name__ == "__main__":
    run_command(compare, "python -m scripts.studies.restorer.downstream")
