# SPDX-License-Identifier: Apache-2.0
"""How good the estimated brain masks are: ``python -m scripts.studies.mask_agreement DATA``.

Dice coefficient of :func:`scripts.anatomy.brain_mask.estimate_brain` with the mask from the labels, for every image of a
prepared cohort that has labels.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import fire
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from ..anatomy.brain_mask import brain_from_labels, estimate_brain
from ..data.cohort import load_cohort, load_datalist
from ..data.examine import load_head
from ..data.split import PARTS
from ..files.errors import clean_exit

__all__ = ["dice", "mask_agreement"]


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Dice coefficient of two masks that are not both empty, in [0, 1].

    Example:
        >>> dice(np.array([True, True, False]), np.array([True, False, False]))
        0.6666666666666666
    """
    return float(2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)))


@clean_exit()
def mask_agreement(dataset_dir: str, output: str | None = None) -> None:
    """Measure the estimated brain masks of a cohort against its labels.

    Args:
        dataset_dir: folder of a prepared cohort with labels.
        output: where the table goes; mask_agreement.csv in dataset_dir by default. Written head by head; heads that are
            in it already are not done again. A head in which no brain is found counts as 0.
    """
    cohort = load_cohort(str(dataset_dir))
    items = [
        item for part in PARTS if cohort[part] for item in load_datalist(str(dataset_dir), part) if "label" in item
    ]
    if not items:
        raise ValueError(f"no image of {dataset_dir} has labels to compare with. Prepare it with --labels.")
    file = Path(output or Path(dataset_dir) / "mask_agreement.csv")
    done = _read(file) if file.is_file() else {}
    torch.set_num_threads(1)  # many small steps: threads that wait for each other are slower than one
    with file.open("a", newline="") as stream:
        writer = csv.writer(stream)
        if not done:
            writer.writerow(["image", "dice"])
        for item in tqdm([item for item in items if Path(item["image"]).name not in done], unit="head"):
            done[Path(item["image"]).name] = agreement = _agreement(item)
            writer.writerow([Path(item["image"]).name, f"{agreement:.4f}"])
            stream.flush()
    values = np.array(list(done.values()))
    sys.stdout.write(
        f"Dice over {len(values)} heads: mean {values.mean():.4f}, sd {values.std(ddof=1):.4f}, "
        f"min {values.min():.4f}, max {values.max():.4f}\n"
    )


def _agreement(item: dict[str, Any]) -> float:
    labels = load_head(Path(item["label"]))
    reference = brain_from_labels(labels.numpy()[0], labels.pixdim.tolist())
    try:
        return dice(estimate_brain(load_head(Path(item["image"]))).numpy()[0], reference)
    except ValueError:  # refused
        return 0.0


def _read(file: Path) -> dict[str, float]:
    with file.open(newline="") as stream:
        return {row["image"]: float(row["dice"]) for row in csv.DictReader(stream)}


if __name__ == "__main__":
    fire.Fire(mask_agreement)
