# SPDX-License-Identifier: Apache-2.0
"""How fast is it? Measure this project, its peers and the machine's limits: ``python -m scripts.studies.speed``."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from ...evaluation.methods import choose
from ...networks import NETWORKS
from ..command_line import run_command, say, switch
from ..machine import measure_machine
from .accuracy import measure_accuracy
from .child import Child
from .match import Effort, Match, play
from .matches import planned_matches
from .ours import DEFAULT_NETWORK, Task
from .results import SpeedResults, rows_of
from .sample import take_sample

__all__ = ["measure", "speed"]

QUICK = Effort(rounds=3, round_seconds=0.5, training=6, validation=2, volumes=2)
FULL = Effort(rounds=7, round_seconds=1.5, training=24, validation=8, volumes=4)


def speed(
    dataset_dir: str = "",
    output_dir: str = "eval/speed",
    quick: bool = False,
    networks: str | Sequence[str] = (),
    device: str = "",
    seed: int = 0,
) -> None:
    """Measure slices per second of training, evaluation, inference, data and damage, against peers and limits.

    Every contender is a process of its own; they take turns, so that a busy machine disturbs them alike. Writes
    OUTPUT_DIR/speed.csv and OUTPUT_DIR/speed.md, and prints the latter. docs/studies/performance.md says how to read
    them.

    Args:
        dataset_dir: folder of dataset.json (python -m scripts prepare); empty: the demo cohort.
        output_dir: folder of the results and of the processes' logs.
        quick: minutes instead of the better part of an hour: fewer rounds, subjects and peers.
        networks: names separated by commas, such as residual_unet,skip_cae; empty: all, or the default one if quick.
        device: cpu, cuda or cuda:1; empty: a GPU where there is one.
        seed: seed of data order, damage and weights.
    """
    quick = switch("quick", quick)
    chosen = list(choose(networks or ([DEFAULT_NETWORK] if quick else list(NETWORKS)), NETWORKS, "network"))
    device = _device(str(device))
    effort = QUICK if quick else FULL
    with tempfile.TemporaryDirectory(prefix="speed-") as folder:
        sample = take_sample(str(dataset_dir), Path(folder), effort.training, effort.validation, effort.volumes)
        task = Task(sample, DEFAULT_NETWORK, device, seed, work_dir=folder)
        matches = planned_matches(task, chosen, not quick)
        results = measure(task, matches, effort, Path(str(output_dir)).absolute() / "logs")
    results.write(Path(str(output_dir)))
    say(results.as_markdown())


def measure(task: Task, matches: Sequence[Match], effort: Effort, log_dir: Path) -> SpeedResults:
    """Measure the machine, play the matches, and measure what fast arithmetic costs."""
    log_dir.mkdir(parents=True, exist_ok=True)
    with Child(log_dir / "machine.log") as child:
        machine = child.call(measure_machine, task.device, effort.round_seconds)
    played, failures = [], []
    for match in (bar := tqdm(matches, unit="match")):
        bar.set_description(match.title)
        outcomes, failed = play(match, effort, log_dir)
        played.append((match, outcomes))
        failures += failed
    with Child(log_dir / "accuracy.log") as child:
        accuracies = child.call(measure_accuracy, task)
    with Child(log_dir / "machine.log") as child:
        machine = machine.best_with(child.call(measure_machine, task.device, effort.round_seconds))
    kind = torch.device(task.device).type
    rows = [row for match, outcomes in played for row in rows_of(match, kind, outcomes, machine)]
    return SpeedResults(task, effort, machine, rows, failures, accuracies)


def _device(name: str) -> str:
    """The device, checked; a GPU where there is one and none was named."""
    kind, _, index = (name or ("cuda" if torch.cuda.is_available() else "cpu")).partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdecimal()):
        raise ValueError(f"device must be cpu, cuda or cuda:N, got {name!r}.")
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device {name!r} is not there: torch sees {torch.cuda.device_count()} GPUs. Give cpu.")
    return f"{kind}:{index}" if index else kind


if __name__ == "__main__":
    run_command(speed, "python -m scripts.studies.speed")
