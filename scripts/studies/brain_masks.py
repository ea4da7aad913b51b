# SPDX-License-Identifier: Apache-2.0
"""Brain masks of the test heads of a cohort with region labels: the shipped network, the template's, and deepbet's.

::

    python -m scripts.studies.brain_masks DATA OUT --deepbet deepbet-venv/bin/python

``deepbet`` (Fisch et al., Human Brain Mapping 2024) needs an environment of its own, whose Python is given; without it,
the others are measured alone. The reference are the closed and filled region labels of each head.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from monai.data import MetaTensor
from tqdm import tqdm

from ..anatomy.brain_mask import brain_from_labels, estimate_brain
from ..data.cohort import load_datalist
from ..data.given_brain import load_head
from ..evaluation.statistics import bootstrap_interval
from ..files.atomic import write_csv
from ..inference.brain_mask import BrainMasker
from ..metrics.dice import dice
from .command_line import run_command, say

__all__ = ["brain_masks", "summary_of"]

RUN_DEEPBET = "import sys; from deepbet import run_bet; run_bet([sys.argv[1]], mask_paths=[sys.argv[2]], no_gpu=True)"


def brain_masks(dataset_dir: str, output_dir: str = "eval/brain_masks", deepbet: str = "", heads: int = 0) -> None:
    """Measure brain masks against closed and filled labels.

    Args:
        dataset_dir: cohort with region labels.
        output_dir: folder of ``brain_masks.csv``, a row for each head and method.
        deepbet: Python of an environment with deepbet.
        heads: how many test heads, the first; 0 for all.
    """
    output = Path(output_dir)
    items = load_datalist(dataset_dir, "test")[: heads or None]
    if any("label" not in item for item in items):
        raise ValueError(f"not every test head of {dataset_dir} has region labels: prepare it with --labels.")
    masker = BrainMasker()
    find: dict[str, Callable[[Path], MetaTensor]] = {
        "network": lambda path: masker(load_head(path)),
        "threshold": lambda path: estimate_brain(load_head(path)),
    }
    if deepbet:
        find["deepbet"] = lambda path: _deepbet_mask(deepbet, path, output)
    rows = []
    for item in tqdm(items, unit="head"):
        labels = load_head(Path(item["label"]))
        reference = brain_from_labels(labels.numpy()[0], [float(size) for size in labels.pixdim])
        for method, mask_of in find.items():
            begin = time.perf_counter()
            mask = np.asarray(mask_of(Path(item["image"])))[0] > 0
            rows.append([item["subject"], method, float(dice(mask, reference)), round(time.perf_counter() - begin, 2)])
    table = pd.DataFrame(rows, columns=["subject", "method", "dice", "seconds"])
    write_csv(output / "brain_masks.csv", table)
    say(summary_of(table).to_string(index=False))


def summary_of(table: pd.DataFrame) -> pd.DataFrame:
    """For each method the mean over heads with its 95 % bootstrap interval, the spread, and the worst head."""
    rows = []
    for method, part in table.groupby("method", sort=False):
        values = part["dice"].to_numpy()
        low, high = bootstrap_interval(values)
        spread = float(values.std(ddof=1)) if len(values) > 1 else np.nan
        rows.append([method, len(values), values.mean(), low, high, spread, values.min(), part["seconds"].median()])
    columns = ["method", "n", "mean", "ci_low", "ci_high", "sd", "worst", "median_seconds"]
    return pd.DataFrame(rows, columns=columns).round(4)


def _deepbet_mask(python: str, image: Path, folder: Path) -> MetaTensor:
    """The mask of a head; its time includes the start of the process.

    Raises:
        RuntimeError: deepbet failed; its last line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "deepbet_mask.nii.gz"
    done = subprocess.run([python, "-c", RUN_DEEPBET, str(image), str(path)], capture_output=True, text=True)
    if done.returncode or not path.is_file():
        raise RuntimeError(f"deepbet failed on {image.name}: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    mask = load_head(path)
    path.unlink()
    return mask


if __name__ == "__main__":
    run_command(brain_masks, "python -m scripts.studies.brain_masks")
