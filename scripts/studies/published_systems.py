# SPDX-License-Identifier: Apache-2.0
"""Recipes after published systems, beside doing nothing and the shipped restorer, on the same damaged heads.

``python -m scripts.studies.published_systems DATA OUTPUT_DIR`` follows an evaluation into OUTPUT_DIR.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from ..baselines import identity
from ..data.slices import subject_key
from ..evaluation import subject_slices
from ..files.atomic import write_csv
from ..inference.data_consistency import DataConsistency
from ..inference.restorer import Restorer
from ..metrics.restoration import RestorationMetrics
from ..recipes.recipe import build, find_recipe, merged_config
from .command_line import run_command, say

__all__ = ["measure"]

PERCENTILE = 0.995


@torch.no_grad()
def measure(dataset_dir: str, output_dir: str, recipe: str = "recon_resnet") -> None:
    """Restore the heads of an evaluation with the shipped restorer, write restorer.csv, and print the table of all.

    Args:
        dataset_dir: folder of the cohort.
        output_dir: folder of the evaluation's ``metrics.csv``.
        recipe: recon_resnet or shuffle_unet.
    """
    config = merged_config(find_recipe(recipe), {"dataset_dir": dataset_dir, "output_dir": output_dir})
    conditions, items = build(config, "evaluate#conditions"), build(config, "evaluate#dataset")
    restorer, rows = Restorer(device="cpu"), []
    for item in items:
        subject = subject_slices(item)
        scores = RestorationMetrics(subject.target, subject.regions)
        keys = {"subject": torch.tensor([subject_key(subject.subject)]), "slice": 0, "epoch": 0}
        for condition in conditions:
            restored = _restored(restorer, condition.corruption(subject.volume, keys))
            results = {"restorer": restored[..., subject.indices].permute(2, 0, 1)[:, None]}
            acquisition = subject.acquisition(condition.corruption)
            if acquisition is not None:  # without a network
                damaged = subject.damage(condition.corruption)
                results["measured lines put back"] = DataConsistency()(damaged, identity, *acquisition)
            for method, result in results.items():
                for region, values in scores(result).items():
                    where = {"corruption": condition.kind, "severity": condition.severity, "region": region}
                    rows.append({"subject": subject.subject, **where, "method": method, **values})
    table = pd.DataFrame(rows)
    write_csv(Path(output_dir) / "restorer.csv", table)
    _show(pd.concat([pd.read_csv(Path(output_dir) / "metrics.csv"), table]))


def _restored(restorer: Restorer, volume: Tensor) -> Tensor:
    """What the restorer makes of a volume ``(1, 1, H, W, D)``, shape ``(H, W, D)``."""
    high = volume.flatten().kthvalue(int(PERCENTILE * volume.numel())).values
    return (restorer.inferer(volume / high, restorer.network)[:, :1] * high)[0, 0]


def _show(metrics: pd.DataFrame) -> None:
    say("| damage | method | SSIM, whole slices | SSIM, head | PSNR, whole slices | PSNR, head |")
    say("|---|---|---|---|---|---|")
    for (damage, method), part in metrics.groupby(["corruption", "method"], sort=False):
        whole, head = (part[part["region"] == region] for region in ("whole", "head"))
        cells = [f"{some['ssim'].mean():.3f} ± {some['ssim'].std():.3f}" for some in (whole, head)]
        cells += [f"{some['psnr'].mean():.1f} ± {some['psnr'].std():.1f}" for some in (whole, head)]
        say(f"| {damage.replace('_', ' ')} | {method} | {' | '.join(cells)} |")
    say(f"{metrics['subject'].nunique()} heads, mean ± standard deviation over them")


if __name__ == "__main__":
    run_command(measure, "python -m scripts.studies.published_systems")
