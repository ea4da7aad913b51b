# SPDX-License-Identifier: Apache-2.0
"""Fit the intervals of the standard deviation: ``python -m scripts.studies.restorer.calibrate DATA WEIGHTS PATH``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...anatomy.damage_kinds import KINDS
from ...files.atomic import replacing
from ...inference.gate import Gate
from ...inference.volume_inferer import VolumeInferer
from ...networks import ErrorSpread
from ...networks.error_spread import COVERAGES, known, voxel_features
from ..command_line import run_command, say
from .measure import cases, damages, restorer

__all__ = ["calibrate"]

VOXELS = 2000
"""Of each head, at random."""
LEAST = 1e-5
"""Error below which it does not matter."""
STEPS, RATE, DECAY = 1500, 0.02, 1e-4


@torch.no_grad()
def calibrate(dataset_dir: str, weights: str, path: str, heads: int = 8, seed: int = 11) -> None:
    """Fit the numbers of :class:`~scripts.networks.ErrorSpread` on validation heads, and write the weights with them.

    Quantile regression of the logarithm of the errors, for the three intervals at once: the likelihood of no
    distribution has to be true.

    Args:
        dataset_dir: folder of the prepared cohort.
        weights: of the restorer.
        path: file that is written.
        heads: validation heads, each with every damage of the published table.
        seed: of the damage.

    References:
        Koenker and Bassett, Regression quantiles, Econometrica 1978.
    """
    torch.manual_seed(seed)
    network = restorer(weights)
    network.spread = ErrorSpread(len(KINDS))
    inferer = VolumeInferer(gate=Gate(), uncertainty=True)
    rows = []
    for name, steps in damages().items():
        for damaged, clean, inside in cases(dataset_dir, "validation", steps, heads, seed):
            high = float(np.percentile(damaged.numpy(), 99.5))
            restored, filled, sd = inferer(damaged / high, network)[0]
            if sd.isnan().any():
                continue
            places = inside.flatten().nonzero()[:, 0]
            places = places[torch.randint(len(places), (VOXELS,))]
            error = (restored - clean / high).abs().flatten()[places]
            if not error.any():
                continue
            assert inferer.verdict is not None
            features = voxel_features(
                *(part[None, None] for part in (sd.log(), filled, restored, damaged[0, 0] / high))
            )
            told = known(torch.tensor([*inferer.verdict.levels.values()]), inferer.verdict.repaired)
            rows.append(_row(features[0].flatten(1)[:, places], told, error))
        say(f"{name}: {len(rows)} heads so far")
    numbers, widths = fitted(torch.cat(rows))
    network.spread.numbers.copy_(numbers.view_as(network.spread.numbers))
    network.spread.widths.copy_(widths)
    state = {key: value.half() if value.is_floating_point() else value for key, value in network.state_dict().items()}
    with replacing(Path(path)) as partial:
        torch.save(state, partial)
    say(f"numbers {[round(one, 3) for one in numbers.tolist()]}, widths {[round(one, 3) for one in widths.tolist()]}")


def _row(features: Tensor, told: Tensor, error: Tensor) -> Tensor:
    """Of each voxel the products of its features and of what is known of the volume, and the logarithm of its error."""
    products = torch.einsum("iv,k->vik", features, told).flatten(1)
    return torch.cat([products, error.clamp(min=LEAST).log()[:, None]], dim=1)


def fitted(table: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers and half widths of the intervals for a table, one row for each voxel, whose last column is log error."""
    with torch.enable_grad():
        numbers = torch.zeros(table.shape[1] - 1, requires_grad=True)
        log_widths = torch.tensor([0.5, 1.5, 2.5]).log().requires_grad_(True)
        optimiser = torch.optim.Adam([numbers, log_widths], RATE)
        shares = torch.tensor(COVERAGES)
        for step in range(STEPS):
            for group in optimiser.param_groups:
                group["lr"] = RATE * (1 - step / STEPS)
            above = table[:, -1:] - (table[:, :-1] @ numbers)[:, None] - log_widths
            loss = torch.maximum(shares * above, (shares - 1) * above).mean(dim=0).sum()
            loss = loss + DECAY * numbers.square().sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    # 1 standard deviation is that of errors whose nine tenths lie within 1.6449 of them
    shift = float(log_widths.detach()[1]) - float(np.log(1.6449))
    found = numbers.detach().clone()
    found[0] += shift
    return found, (log_widths.detach() - shift).exp()


if __name__ == "__main__":
    run_command(calibrate, "python -m scripts.studies.restorer.calibrate")
