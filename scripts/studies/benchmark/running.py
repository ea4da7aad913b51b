# SPDX-License-Identifier: Apache-2.0
"""Runs the cells through MONAI's bundle runner, several at a time, each in processes of its own.

FOLDED: One table on the terminal that says how far each recipe and seed is.
FOLDED: Run cells with what this machine has, and note what it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import monai
import torch

from ...recipes.provenance import git_commit
from ...recipes.recipe import ROOT
from ..command_line import whole_numbers
from .cells import Cell, Step
from .machine import available_cores, describe_machine
from .record import RECORD_FILE, CellRecord

__all__ = ["CellError", "ProgressTable", "run_cells", "run_on_this_machine", "thread_limits"]

LINES_LEFT = 4


class ProgressTable:
    """State of each cell, rewritten in place on a terminal; elsewhere one line for each cell that ends.

    Args:
        cells: of the plan.
        stream: where it is shown.
    """

    def __init__(self, cells: Sequence[Cell], stream: TextIO | None = None) -> None:
        self.cells = list(cells)
        self.stream = stream or sys.stderr
        self.states = {cell.name: "waiting" for cell in cells}
        self.lock = threading.Lock()
        self.lines = 0

    def set(self, cell: Cell, state: str) -> None:
        """Note the state of a cell: ``training``, ``evaluating``, ``kept``, ``done ...`` or ``failed``."""
        with self.lock:
            self.states[cell.name] = state
            if not self.stream.isatty() and _ended(state):
                ended = sum(map(_ended, self.states.values()))
                self.stream.write(f"[{ended} of {len(self.cells)}] {cell.name}: {state}\n")
                self.stream.flush()

    def show(self) -> None:
        """Rewrite the table, on a terminal."""
        if not self.stream.isatty():
            return
        size = shutil.get_terminal_size()
        with self.lock:
            lines = [line[: size.columns - 1] for line in self.text().splitlines()]
            if len(lines) > size.lines - LINES_LEFT:  # only what is going on
                busy = [self._row(cell) for cell in self.cells if self.states[cell.name] in ("training", "evaluating")]
                lines = [*busy[: size.lines - LINES_LEFT - 1], lines[-1]]
            self.stream.write(f"\x1b[{self.lines}A" if self.lines else "")
            self.stream.write("".join(f"\x1b[2K{line}\n" for line in lines) + "\x1b[0J")
            self.stream.flush()
            self.lines = len(lines)

    def close(self) -> None:
        """Show the table for the last time."""
        self.show()

    def text(self) -> str:
        """All rows, and how many cells have ended."""
        ended = sum(map(_ended, self.states.values()))
        failed = sum(state == "failed" for state in self.states.values())
        total = f"{ended} of {len(self.cells)} cells" + (f", {failed} failed" if failed else "")
        return "\n".join([*(self._row(cell) for cell in self.cells), total])

    def _row(self, cell: Cell) -> str:
        state = self.states[cell.name]
        if state == "training":
            state = f"training, epoch {_epochs(cell)} of {cell.epochs}"
        width = max(len(other.name) for other in self.cells)
        return f"{cell.name:<{width}}  {state}"


def _ended(state: str) -> bool:
    return state in ("kept", "failed") or state.startswith("done")


def _epochs(cell: Cell) -> int:
    """Finished epochs: rows of the training curve."""
    path = cell.folder / "history.csv"
    return max(0, len(path.read_text(encoding="utf-8").splitlines()) - 1) if path.is_file() else 0


LOG_LINES_SHOWN = 15
REFRESH_SECONDS = 0.5


class CellError(Exception):
    """A command of a cell ended badly; its text is the end of the log."""


def thread_limits(threads: int) -> dict[str, str]:
    """Environment that limits a process to so many threads: the sums of a CPU depend on their number."""
    return {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}


def run_cells(
    cells: Sequence[Cell], facts: Mapping[str, Any], jobs: int, threads: int, keep_old_code: bool = False
) -> dict[str, str]:
    """Run what is not done yet. A cell that fails does not stop the others.

    Args:
        cells: of the plan.
        facts: what to record of each command: commit, machine, versions.
        jobs: commands at a time.
        threads: of each command.
        keep_old_code: accept results that other code made, if config and data are the same.

    Returns:
        Name of each cell that failed, and the end of its log.

    Raises:
        KeyboardInterrupt: passed on after the commands have been stopped; what they did is kept.
    """
    runner = _Runner(dict(facts), threads, keep_old_code)
    table = ProgressTable(cells)
    failures: dict[str, str] = {}
    with ThreadPoolExecutor(jobs) as pool:
        futures: dict[Future[None], Cell] = {pool.submit(runner.run, cell, table): cell for cell in cells}
        try:
            while wait(futures, REFRESH_SECONDS).not_done:
                table.show()
        except KeyboardInterrupt:
            runner.stop()
            pool.shutdown(cancel_futures=True)
            raise
    for future, cell in futures.items():
        error = future.exception()
        if isinstance(error, CellError):
            failures[cell.name] = str(error)
        elif error is not None:
            raise error
    table.close()
    return failures


class _Runner:
    """Runs single cells; called from several threads."""

    def __init__(self, facts: dict[str, Any], threads: int, keep_old_code: bool) -> None:
        self.facts = facts
        self.environment = {**os.environ, **thread_limits(threads), "PYTHONWARNINGS": "ignore"}
        self.keep_old_code = keep_old_code
        self.running: set[subprocess.Popen[bytes]] = set()
        self.stopping = threading.Event()

    def run(self, cell: Cell, table: ProgressTable) -> None:
        """Do the steps of a cell that are not done."""
        record = CellRecord(cell, self.keep_old_code)
        todo = [step for step in cell.steps if not record.is_done(step)]
        if not todo:
            table.set(cell, "kept")
            return
        start = time.perf_counter()
        for step in cell.steps:
            if record.is_done(step):
                continue
            table.set(cell, step.name)
            try:
                self._do(cell, step, record)
            except CellError:
                table.set(cell, "interrupted" if self.stopping.is_set() else "failed")
                raise
        table.set(cell, f"done in {_duration(time.perf_counter() - start)}")

    def stop(self) -> None:
        """End all commands."""
        self.stopping.set()
        for process in list(self.running):
            process.terminate()

    def _do(self, cell: Cell, step: Step, record: CellRecord) -> None:
        words = step.command()
        resume = step.name == "training" and record.can_resume(step)
        if step.name == "training" and not resume:
            _clear(cell.folder)
        if resume:
            words += ["--resume", "True"]
        record.begin(step, self.facts)
        start = time.perf_counter()
        log = cell.folder / f"{step.name}.log"
        status = self._call(words, log)
        good = status == 0 and step.result.is_file()
        record.end(step, time.perf_counter() - start, good)
        if not good:
            raise CellError(f"{step.name} ended with status {status}; the end of {log}:\n{_end(log)}")

    def _call(self, words: Sequence[str], log: Path) -> int:
        if self.stopping.is_set():
            return -1
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, *words], cwd=ROOT, env=self.environment, stdout=file, stderr=file
            )  # fmt: skip
            self.running.add(process)
            try:
                return process.wait()
            finally:
                self.running.discard(process)


def _clear(folder: Path) -> None:
    """Remove an earlier run of the cell: another config, other data or other code."""
    if (folder / RECORD_FILE).is_file():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)


def _end(log: Path) -> str:
    """The last lines of a log, without the many states of a progress bar."""
    text = log.read_text(encoding="utf-8", errors="replace")
    lines = [line.rsplit("\r", 1)[-1].rstrip() for line in text.splitlines()]
    return "\n".join(f"    {line}" for line in [line for line in lines if line][-LOG_LINES_SHOWN:])


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


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
