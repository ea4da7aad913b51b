# SPDX-License-Identifier: Apache-2.0
"""VAE and beta-VAE beside those of pythae: ``python -m scripts.studies.vae_peers --pythae_python PY --dataset_dir DATA``."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from ...data.cohort import load_cohort, load_datalist
from ...data.describe import DATASET_FILE
from ...data.split import PARTS
from ...files.atomic import replacing, write_json
from ...files.errors import clean_exit
from ...networks.latent import VariationalAutoencoder
from ...recipes.provenance import split_hash
from ..command_line import run_command
from .contenders import check_pythae, train_ours, train_pythae
from .scores import compare_scores, score
from .task import PeerTask

__all__ = ["vae_peer"]


@clean_exit()
def vae_peer(
    pythae_python: str,
    dataset_dir: str = "",
    output_dir: str = "eval/vae_peer",
    betas: float | Sequence[float] = (1.0, 4.0),
    seeds: int | Sequence[int] = (0, 1, 2),
    max_epochs: int = 30,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    heads: int = 0,
    device: str = "cpu",
) -> None:
    """Train the recipe vae and pythae's model on the same slices, and measure both on the test subjects.

    Same layers, objective, epochs, batch size, optimiser, constant learning rate, and choice of the best epoch on the
    validation subjects. What is done is kept: the same command goes on where it stopped. Writes subjects.csv (a row for
    each contender, seed and subject) and comparison.csv.

    Args:
        pythae_python: a Python that has pythae, which is no dependency of this project.
        dataset_dir: folder of dataset.json (python -m scripts prepare); the demo cohort if empty.
        output_dir: folder of everything that this command makes.
        betas: weights of the KL divergence: 1 is pythae's VAE, others its BetaVAE.
        seeds: of the trainings.
        max_epochs: of each.
        batch_size: of each.
        learning_rate: of each.
        heads: take only so many of each part; 0: all.
        device: cpu, or cuda for the training.
    """
    python = check_pythae(str(pythae_python))
    output = Path(str(output_dir)).absolute()
    folder = _some_heads(str(dataset_dir), heads, output / "heads")
    values = {"cache_dir": str(output / "cache"), "batch_size": batch_size, "learning_rate": learning_rate}
    contenders: dict[str, Callable[[PeerTask], VariationalAutoencoder]] = {
        "ours": train_ours,
        "pythae": lambda task: train_pythae(task, python),
    }
    plan = [(b, s, n) for b in _numbers("betas", betas) for s in _numbers("seeds", seeds) for n in contenders]
    tables = []
    for beta, seed, name in tqdm(plan, "training", unit="network"):
        where = output / f"beta_{beta:g}" / f"seed_{seed}" / name
        task = PeerTask(folder, where, float(beta), int(seed), max_epochs, str(device), values)
        scores = _scores(task, contenders[name])
        tables.append(scores.assign(contender=name, beta=beta, seed=seed))
    table = pd.concat(tables, ignore_index=True)
    comparison = compare_scores(table)
    _write(table, output / "subjects.csv")
    _write(comparison, output / "comparison.csv")
    sys.stdout.write(f"{comparison.round(3).to_string(index=False)}\nwrote {output / 'comparison.csv'}\n")


def _scores(task: PeerTask, train: Callable[[PeerTask], VariationalAutoencoder]) -> pd.DataFrame:
    """Scores of a training, kept ones where the same was done before."""
    made_with = json.loads(json.dumps({**task.settings, "split": split_hash(load_cohort(task.dataset_dir))}))
    scores, record = task.folder / "scores.csv", task.folder / "settings.json"
    if scores.is_file() and record.is_file() and json.loads(record.read_text(encoding="utf-8")) == made_with:
        return pd.read_csv(scores, dtype={"subject": str})
    network = train(task)
    images, subjects = task.slices("test")
    table = score(network, images, subjects, task.config["reconstruction_loss"]["alpha"], task.beta)
    _write(table, scores)
    write_json(record, made_with)
    return table


def _some_heads(dataset_dir: str, heads: int, folder: Path) -> str:
    """Folder of the cohort's first heads of each part."""
    if not isinstance(heads, int) or heads < 0:
        raise ValueError(f"--heads must be a whole number, 0 for all, got {heads!r}.")
    parts = {part: load_datalist(dataset_dir, part) for part in PARTS}
    chosen = {part: items[: heads or None] for part, items in parts.items()}
    write_json(folder / DATASET_FILE, {**load_cohort(dataset_dir), **chosen})
    return str(folder)


def _numbers(name: str, given: Any) -> list[Any]:
    numbers = [given] if isinstance(given, int | float) else list(given)
    if not numbers or not all(isinstance(n, int | float) and not isinstance(n, bool) and n >= 0 for n in numbers):
        raise ValueError(f"--{name} must be numbers of at least 0, got {given!r}. Example: --{name} 1,4.")
    return numbers


def _write(table: pd.DataFrame, path: Path) -> None:
    with replacing(path) as partial:
        table.to_csv(partial, index=False, float_format="%.6g")


if __name__ == "__main__":
    logging.getLogger("monai").setLevel(logging.ERROR)
    run_command(vae_peer, "python -m scripts.studies.vae_peers")
