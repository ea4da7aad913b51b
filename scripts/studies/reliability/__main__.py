# SPDX-License-Identifier: Apache-2.0
"""Break what can be broken, and write down what became of it: ``make reliability``."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import torch

from ...files.atomic import replacing
from ..command_line import run_command, say
from .kills import kill_restoring, kill_training
from .many import prepare_many, restore_many
from .mutants import SHARES, Mutants, restore_mutants
from .page import Findings, page

__all__ = ["measure"]

FILES, KILLS, VOLUMES, SUBJECTS = 10_000, 50, 500, 2_000
COHORT = 12
"""Subjects of the cohort on which is trained."""
NEEDED = (
    "monai.bundle", "monai.engines", "monai.handlers", "monai.inferers", "monai.losses", "monai.metrics",
    "monai.transforms", "ignite.metrics", "itk", "pydicom", "torch.utils.tensorboard",
)  # fmt: skip
"""What children use: imported before they are forked."""
OWN = ("inference.evaluator", "handlers", "engines", "networks", "losses", "corruptions", "data.slices", "transforms")


def measure(n: float = 1.0, output: str = "docs/reliability.md", seed: int = 0, processes: int = 2) -> None:
    """Damage files, kill processes, restore and prepare many volumes; write a page.

    Args:
        n: share of the whole measurement, which takes 40 minutes on two cores.
        output: page that is written.
        seed: seed of all that is random.
        processes: number of processes at a time.
    """
    if not 0 < n <= 100:
        raise ValueError(f"n must be above 0 and at most 100, got {n}. Example: --n 0.1.")
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    for name in (*NEEDED, *(f"{__package__.split('.')[0]}.{own}" for own in OWN)):
        import_module(name)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="reliability-") as name:
        folder = Path(name)
        counts = {kind: max(1, round(FILES * n * share)) for kind, share in SHARES.items()}
        pieces = [
            (kind, range(seed + start, seed + count, processes), folder / f"{kind}-{start}")
            for kind, count in counts.items()
            for start in range(processes)
        ]
        mutants = {kind: Mutants() for kind in SHARES}
        for kind, one in zip([piece[0] for piece in pieces], _in_processes(_mutants, pieces, processes), strict=True):
            mutants[kind].add(one)
        say(f"damaged files: {sum(one.total for one in mutants.values())}, {time.monotonic() - begin:.0f} s")
        kills = max(1, round(KILLS * n))
        cohort = prepare_many(COHORT, folder / "cohort")
        restoring = kill_restoring(kills, folder / "restoring", seed)
        training = kill_training(kills, folder / "cohort/data", folder / "training", seed)
        say(f"kills: {restoring.kills} and {training.kills}, {time.monotonic() - begin:.0f} s")
        restored = restore_many(max(20, round(VOLUMES * n)), folder / "many")
        prepared = prepare_many(max(cohort.subjects, round(SUBJECTS * n)), folder / "subjects")
    found = Findings(n, seed, mutants, restoring, training, restored, prepared, time.monotonic() - begin)
    with replacing(output) as partial:
        partial.write_text(page(found), encoding="utf-8")
    say(f"wrote {output}, {found.seconds / 60:.0f} minutes")
    found.check()


def _mutants(piece: tuple[str, Sequence[int], Path]) -> Mutants:
    found = Mutants()
    for one in restore_mutants(*piece):
        found.add(one)
    return found


def _in_processes(
    function: Callable[[tuple[str, Sequence[int], Path]], Mutants],
    pieces: Sequence[tuple[str, Sequence[int], Path]],
    processes: int,
) -> list[Mutants]:
    with ProcessPoolExecutor(processes, mp_context=get_context("fork")) as pool:
        return list(pool.map(function, pieces))


if __name__ == "__main__":
    run_command(measure, "python -m scripts.studies.reliability")
