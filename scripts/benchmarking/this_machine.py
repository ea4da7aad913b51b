# SPDX-License-Identifier: Apache-2.0
"""Run cells with what this machine has, and note what it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import monai
import torch

from ..command_line import whole_numbers
from ..evaluation.provenance import git_commit
from .cells import Cell
from .machine import available_cores, describe_machine
from .running import run_cells

__all__ = ["run_on_this_machine"]

GPU_JOBS = 4


def run_on_this_machine(
    cells: Sequence[Cell], jobs: int | None, threads: int, device: str | None, keep_old_code: bool
) -> dict[str, str]:
    """Run the cells, as many at a time as there is room for.

    Args:
        cells: of the plan; those that are done are kept.
        jobs: cells at a time; by default the number of CPU cores divided by ``threads``, on a GPU 4.
        threads: CPU threads of each cell.
        device: where the recipes were told to run; by default a GPU where there is one.
        keep_old_code: keep cells that other code made, if config and data are the same.

    Returns:
        Why each cell that failed did, by its name.

    Raises:
        SystemExit: interrupted.
        ValueError: ``jobs`` or ``threads`` is no whole number of at least 1.
    """
    where = device or ("cuda" if torch.cuda.is_available() else "cpu")
    (threads,) = whole_numbers("threads", threads, 1)
    room = max(1, available_cores() // threads) if where == "cpu" else GPU_JOBS
    (jobs,) = whole_numbers("jobs", room if jobs is None else jobs, 1)
    facts = {
        "device": where, "machine": describe_machine(where), "threads": threads, "commit": git_commit(),
        "versions": f"torch {torch.__version__}, MONAI {monai.__version__}",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }  # fmt: skip
    try:
        return run_cells(cells, facts, jobs, threads, keep_old_code)
    except KeyboardInterrupt:
        raise SystemExit("\ninterrupted: the same command goes on from here.") from None
