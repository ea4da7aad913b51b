# SPDX-License-Identifier: Apache-2.0
"""Does a second process double the training? ``python -m scripts.studies.scaling --dataset_dir DATA``."""

from __future__ import annotations

import csv
import io
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import fire
from tqdm import tqdm

from ...files.atomic import replacing
from ...files.errors import clean_exit
from ...recipes.places import ROOT

__all__ = ["slices_per_second", "table", "weak_scaling"]

CONFIGS = ["configs/train.yaml", "configs/hw/multi_gpu.yaml"]
EPOCHS = 3
"""The first warms up; the median of the others counts."""
NEVER = 10**6
"""As an interval: no validation."""


@clean_exit()
def weak_scaling(
    dataset_dir: str = "",
    processes: int | Sequence[int] = (1, 2),
    threads: int = 1,
    steps: int = 20,
    batch_size: int = 32,
    repeats: int = 3,
    output_dir: str = "eval/weak_scaling",
) -> None:
    """Train with several numbers of processes, each process with the same number of slices, and compare the rates.

    Every run is a training as in docs/scaling.md (torchrun, configs/hw/multi_gpu.yaml): reading, damage, network,
    gradients over all processes. The validation is left out. The numbers of processes take turns, so that a machine
    that gets slower does so for all of them. Prints a table, and writes weak_scaling.csv (a row for each run).

    Args:
        dataset_dir: folder of dataset.json (python -m scripts prepare); the demo cohort if empty.
        processes: numbers of processes on this machine; efficiency is relative to the first.
        threads: CPU threads of each process.
        steps: steps of an epoch; 3 epochs are trained, the first is not counted.
        batch_size: slices of a step in each process.
        repeats: runs of each number.
        output_dir: folder of weak_scaling.csv.
    """
    numbers = [processes] if isinstance(processes, int) else list(processes)
    for name, values in {"processes": numbers, "threads": [threads], "steps": [steps], "repeats": [repeats]}.items():
        if not values or not all(isinstance(value, int) and value >= 1 for value in values):
            raise ValueError(f"--{name} must be whole numbers of at least 1, got {values}. Example: --{name} 2.")
    folder = str(Path(str(dataset_dir)).absolute()) if str(dataset_dir) else ""
    settings = {"dataset_dir": folder, "batch_size": batch_size, "max_epochs": EPOCHS, "val_interval": NEVER}
    settings |= {"train#trainer#epoch_length": steps, "lr_scheduler#total_steps": EPOCHS * steps}
    load = os.getloadavg()[0]
    rates: dict[int, list[float]] = {number: [] for number in numbers}
    rows = []
    for repeat, number in tqdm([(r, n) for r in range(repeats) for n in numbers], unit="run"):
        with tempfile.TemporaryDirectory() as output:
            _train(number, threads, settings | {"output_dir": output})
            rate = slices_per_second(Path(output) / "history.csv", steps * batch_size * number)
        rates[number].append(rate)
        rows.append(
            {"repeat": repeat, "processes": number, "threads": threads, "batch_size": batch_size, "per_s": rate}
        )
    _write(Path(output_dir) / "weak_scaling.csv", rows)
    sys.stdout.write(f"{table(rates)}\nload average before: {load:.2f}; CPU cores: {os.cpu_count()}\n")


def slices_per_second(history: Path, slices: int) -> float:
    """Rate of a run: the median of its epochs without the first.

    Args:
        history: ``history.csv`` of the run.
        slices: of an epoch, over all processes.
    """
    with history.open(encoding="utf-8") as file:
        seconds = [float(row["seconds"]) for row in csv.DictReader(file)][1:]
    return slices / statistics.median(seconds)


def table(rates: dict[int, list[float]]) -> str:
    """Markdown: median rate and range, and the efficiency: rate of each process relative to one of the first row.

    Args:
        rates: slices per second of each run, by number of processes.
    """
    first, base = next((number, statistics.median(values)) for number, values in rates.items())
    lines = ["| processes | slices/s (median) | range | efficiency |", "|---|---|---|---|"]
    for number, values in rates.items():
        middle = statistics.median(values)
        efficiency = (middle / number) / (base / first)
        lines.append(f"| {number} | {middle:.1f} | {min(values):.1f} to {max(values):.1f} | {efficiency:.0%} |")
    return "\n".join(lines)


def _train(number: int, threads: int, settings: dict[str, object]) -> None:
    """One training with a number of processes; its output is shown only where it fails."""
    command = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc_per_node={number}", "-m", "monai.bundle", "run", "training", "--config_file", str(CONFIGS)]
    command += [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        reasons = [line for line in done.stderr.splitlines() if line.startswith("error:")]
        raise ValueError(reasons[0].removeprefix("error: ") if reasons else done.stderr[-2000:])


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    with replacing(path) as partial:
        partial.write_text(text.getvalue(), encoding="utf-8")


if __name__ == "__main__":
    fire.Fire(weak_scaling, name="python -m scripts.studies.scaling")
