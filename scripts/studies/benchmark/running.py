# SPDX-License-Identifier: Apache-2.0
"""Runs the cells through MONAI's bundle runner, several at a time, each in processes of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import monai
import torch
from tqdm import tqdm

from ...files.child import log_end, run_logged
from ...recipes.places import ROOT
from ...recipes.provenance import git_commit
from ..command_line import whole_numbers
from ..machine import available_cores, describe_machine
from .cells import Cell, Step
from .record import RECORD_FILE, CellRecord

__all__ = ["run_cells", "run_on_this_machine", "thread_limits"]

REFRESH_SECONDS = 0.5
GPU_JOBS = 4


def thread_limits(threads: int) -> dict[str, str]:
    """Environment that limits a process to so many threads: the sums of a CPU depend on their number."""
    return {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}


def run_on_this_machine(
    cells: Sequence[Cell], jobs: int | None, threads: int, device: str | None, keep_old_code: bool
) -> dict[str, str]:
    """Run the cells, as many at a time as there is room for.

    Args:
        cells: cells of the plan; those that are done are kept.
        jobs: cells at a time; by default the number of CPU cores divided by ``threads``, on a GPU 4.
        threads: CPU threads of each cell.
        device: device of the recipes; by default a GPU where there is one.
        keep_old_code: keep cells that other code made, if config and data are the same.

    Returns:
        Why each cell that failed did, by its name.

    Raises:
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
    return run_cells(cells, facts, jobs, threads, keep_old_code)


def run_cells(
    cells: Sequence[Cell], facts: Mapping[str, Any], jobs: int, threads: int, keep_old_code: bool = False
) -> dict[str, str]:
    """Run what is not done yet. A cell that fails does not stop the others.

    Args:
        cells: cells of the plan.
        facts: facts to record of each command: commit, machine, versions.
        jobs: commands at a time.
        threads: threads of each command.
        keep_old_code: accept results that other code made, if config and data are the same.

    Returns:
        Name of each cell that failed, and the end of its log.

    Raises:
        KeyboardInterrupt: passed on after the commands have been stopped; what they did is kept.
    """
    runner = _Runner(dict(facts), threads, keep_old_code)
    failures: dict[str, str] = {}
    with ThreadPoolExecutor(jobs) as pool, tqdm(total=len(cells), unit="cell", dynamic_ncols=True) as bar:
        futures: dict[Future[str], Cell] = {pool.submit(runner.run, cell): cell for cell in cells}
        waiting = set(futures)
        try:
            while waiting:
                ended, waiting = wait(waiting, REFRESH_SECONDS, "FIRST_COMPLETED")
                for future in ended:
                    name, error = futures[future].name, future.exception()
                    if isinstance(error, ChildProcessError):
                        failures[name] = str(error)
                    elif error is not None:
                        raise error
                    bar.update()
                    state = "failed" if error else future.result()
                    bar.write(f"[{bar.n} of {len(cells)}] {name}: {state}", sys.stderr)
                bar.set_postfix_str("; ".join(map(_progress, list(runner.busy.values()))))
        except BaseException:
            runner.stop()
            pool.shutdown(cancel_futures=True)
            raise
    return failures


class _Runner:
    """Runs single cells; called from several threads."""

    def __init__(self, facts: dict[str, Any], threads: int, keep_old_code: bool) -> None:
        self.facts = facts
        self.environment = {**thread_limits(threads), "PYTHONWARNINGS": "ignore"}
        self.keep_old_code = keep_old_code
        self.busy: dict[str, tuple[Cell, str]] = {}
        self.running: set[subprocess.Popen[Any]] = set()
        self.stopping = threading.Event()

    def run(self, cell: Cell) -> str:
        """Do the steps of a cell that are not done, and say what became of it."""
        record = CellRecord(cell, self.keep_old_code)
        if all(record.is_done(step) for step in cell.steps):
            return "kept"
        start = time.perf_counter()
        try:
            for step in cell.steps:
                if not record.is_done(step):
                    self.busy[cell.name] = (cell, step.name)
                    self._do(cell, step, record)
        finally:
            self.busy.pop(cell.name, None)
        minutes, seconds = divmod(round(time.perf_counter() - start), 60)
        return f"done in {minutes // 60}:{minutes % 60:02}:{seconds:02}"

    def stop(self) -> None:
        """End all commands."""
        self.stopping.set()
        for process in list(self.running):
            process.terminate()

    def _do(self, cell: Cell, step: Step, record: CellRecord) -> None:
        words = [sys.executable, *step.command()]
        resume = step.name == "training" and record.can_resume(step)
        if step.name == "training" and not resume:
            _clear(cell.folder)
        if resume:
            words += ["--resume", "True"]
        record.begin(step, self.facts)
        start, log, good = time.perf_counter(), cell.folder / f"{step.name}.log", False
        try:
            if self.stopping.is_set():
                raise ChildProcessError(f"{step.name} was interrupted")
            run_logged(words, log, folder=ROOT, environment=self.environment, running=self.running)
            good = step.result.is_file()
        finally:
            record.end(step, time.perf_counter() - start, good)
        if not good:
            raise ChildProcessError(f"{step.name} ended without {step.result}; the end of {log}:\n{log_end(log)}")


def _clear(folder: Path) -> None:
    """Remove an earlier run of the cell: another config, other data or other code."""
    if (folder / RECORD_FILE).is_file():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)


def _progress(busy: tuple[Cell, str]) -> str:
    """What a cell is doing; finished epochs are rows of the training curve."""
    cell, step = busy
    path = cell.folder / "history.csv"
    if step != "training":
        return f"{cell.name}: {step}"
    done = max(0, len(path.read_text(encoding="utf-8").splitlines()) - 1) if path.is_file() else 0
    return f"{cell.name}: epoch {done} of {cell.epochs}"
