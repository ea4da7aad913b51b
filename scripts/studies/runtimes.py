# SPDX-License-Identifier: Apache-2.0
"""How fast the runtimes torch and onnx restore a folder, by turns: ``python -m scripts.studies.runtimes IN MODEL``."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ..recipes.places import ROOT
from .command_line import run_command, say

__all__ = ["measure", "run_once"]

RUNTIMES = {"torch": ("--device", "cpu"), "onnx": ("--runtime", "onnx")}


def measure(images: str, model: str, rounds: int = 3, gate: bool = False) -> None:
    """Restore a folder by turns with both runtimes, each in a process of its own.

    Prints a table of the medians: seconds of the whole run, until the first result was written, and of a processor.

    Args:
        images: folder of heads.
        model: what ``python -m scripts export`` wrote.
        rounds: how often each is run.
        gate: whether heads that are fine are left alone.
    """
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in RUNTIMES}
    for _ in range(rounds):
        for name, options in RUNTIMES.items():
            more = ("--model", str(Path(model).absolute())) if name == "onnx" else ()
            found[name].append(run_once(str(Path(images).absolute()), *options, *more, "--gate", str(gate).lower()))
    lines = ["| runtime | whole run (s) | first result (s) | processor (s) |", "|---|---|---|---|"]
    for name, times in found.items():
        medians = (statistics.median(column) for column in zip(*times, strict=True))
        lines.append(f"| {name} | {' | '.join(f'{value:.1f}' for value in medians)} |")
    say("\n".join(lines))


def run_once(images: str, *options: str) -> tuple[float, float, float]:
    """Restore a folder; seconds of the whole process, until the first result, and of a processor.

    Raises:
        RuntimeError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "scripts", "restore", images, folder, *options]
        begin, first = time.perf_counter(), 0.0
        with (Path(folder) / "log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if not first and any(not path.name.startswith(".") for path in Path(folder).rglob("*.nii.gz")):
                first = time.perf_counter() - begin
            if pid:
                break
            time.sleep(0.01)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError((Path(folder) / "log").read_text()[-2000:])
        return time.perf_counter() - begin, first, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    run_command(measure, "python -m scripts.studies.runtimes")
