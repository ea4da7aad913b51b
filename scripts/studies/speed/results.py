# SPDX-License-Identifier: Apache-2.0
"""All results of a run: ``speed.csv`` for programs, ``speed.md`` for people."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import monai
import pandas as pd
import torch

from ...files.atomic import replacing
from ..machine import Machine
from .match import Effort, Match, Outcome
from .ours import Task

__all__ = ["COLUMNS", "SpeedResults", "rows_of"]

COLUMNS = [
    "work", "network", "device", "ours_per_s", "peer", "peer_per_s", "ratio", "floor_share", "wait_share", "peak_mb",
]  # fmt: skip
#: In the others the device is given what it needs beforehand, or does nothing but fetch it.
WORKS_THAT_WAIT = ("train_step", "evaluation", "inference", "inference_256")
HEAD = (
    "work", "network", "ours, slices/s", "peer", "peer, slices/s", "ratio", "MB/slice", "MFLOP/slice", "floor",
    "waiting", "peak, MB",
)  # fmt: skip
HEAD_OF_ACCURACY = ("arithmetic", "slices", "PSNR, dB", "largest difference of a pixel from plain")


def rows_of(match: Match, device: str, outcomes: Sequence[Outcome], machine: Machine) -> list[dict[str, Any]]:
    """One row for each peer, in its fastest way; a row without a peer where there is none.

    Args:
        match: the work, and the network (``all`` where it does not matter).
        device: ``cpu`` or ``cuda``.
        outcomes: of the match, ours first.
        machine: limits of the device.

    Returns:
        Rows with :data:`COLUMNS` and ``way``, ``ratio_range``, ``megabytes`` and ``megaflops`` (of a slice). Rates are
        medians over the rounds, in slices per second, and ratios medians of ours / peer; ``floor_share`` is the share
        of the measured time that the machine's limits account for, ``wait_share`` that in which the device waited for
        data.
    """
    ours, *peers = outcomes
    fastest = {peer.entrant.name: peer for peer in sorted(peers, key=lambda peer: statistics.median(peer.rates))}
    counted, rate = ours.counted, statistics.median(ours.rates)
    common = {
        "work": match.work,
        "network": match.network,
        "device": device,
        "ours_per_s": rate,
        "floor_share": machine.floor_seconds(counted.bytes_moved, counted.operations) * rate,
        "wait_share": ours.wait_share if match.work in WORKS_THAT_WAIT else None,
        "peak_mb": ours.peak_mb,
        "megabytes": counted.bytes_moved / 1e6,
        "megaflops": sum(counted.operations.values()) / 1e6,
    }
    rows = []
    for name, peer in fastest.items():
        ratios = [mine / other for mine, other in zip(ours.rates, peer.rates, strict=True)]
        rows.append(
            common
            | {"peer": name, "way": peer.entrant.way, "peer_per_s": statistics.median(peer.rates)}
            | {"ratio": statistics.median(ratios), "ratio_range": (min(ratios), max(ratios))}
        )
    return rows or [common | {"peer": "", "way": "", "peer_per_s": None, "ratio": None, "ratio_range": None}]


@dataclass(frozen=True)
class SpeedResults:
    """What was measured.

    Attributes:
        task: data, device and seed.
        effort: rounds and subjects.
        machine: limits of the device.
        rows: the table, see :func:`rows_of`.
        failures: one line for each peer that could not take part.
        accuracies: what fast arithmetic costs, see :func:`~scripts.studies.speed.accuracy.measure_accuracy`.
    """

    task: Task
    effort: Effort
    machine: Machine
    rows: Sequence[Mapping[str, Any]]
    failures: Sequence[str]
    accuracies: Sequence[Mapping[str, Any]]

    def write(self, output_dir: Path) -> None:
        """Write both files, each whole or not at all.

        Raises:
            OSError: a file cannot be written.
        """
        with replacing(output_dir / "speed.csv") as partial:
            pd.DataFrame(self.rows)[COLUMNS].to_csv(partial, index=False, float_format="%.4g")
        with replacing(output_dir / "speed.md") as partial:
            partial.write_text(self.as_markdown(), encoding="utf-8")

    def as_markdown(self) -> str:
        """Machine, table and accuracy."""
        machine, sample = self.machine, self.task.sample
        rates = ", ".join(f"{rate / 1e9:,.0f} in {name}" for name, rate in machine.operations_per_second.items())
        height, width = sample.slice_shape
        accuracies = [
            [a["arithmetic"], str(a["slices"]), f"{a['psnr']:.3f}", f"{a['largest_difference']:.2g}"]
            for a in self.accuracies
        ]
        parts = [
            "# Speed",
            (
                f"{machine.name}, load average {machine.load:.1f} before the start; torch {torch.__version__}, MONAI "
                f"{monai.__version__}. Limits, measured: {machine.bytes_per_second / 1e9:,.1f} GB/s copied (read and "
                f"written), matrix products at {rates} GFLOP/s."
            ),
            (
                f"Cohort {sample.name}, slices of {height} x {width}, seed {self.task.seed}. {self.effort.rounds} "
                f"rounds of about {self.effort.round_seconds:g} s for each contender."
            ),
            _table(HEAD, map(_line, self.rows)),
            *(f"Not measured: {failure}" for failure in self.failures),
            "## What fast arithmetic costs",
            "The published weights on damaged slices of test subjects.",
            _table(HEAD_OF_ACCURACY, accuracies),
            "docs/studies/performance.md says how to read it.",
        ]
        return "\n\n".join(parts) + "\n"


def _line(row: Mapping[str, Any]) -> list[str]:
    spread = " [{:.2f}, {:.2f}]".format(*row["ratio_range"]) if row["ratio_range"] else ""
    ours, peer, megabytes, megaflops, peak = (
        _number(row[name]) for name in ("ours_per_s", "peer_per_s", "megabytes", "megaflops", "peak_mb")
    )
    floor, waiting = ("" if row[name] is None else f"{100 * row[name]:.0f} %" for name in ("floor_share", "wait_share"))
    name = f"{row['peer']}, {row['way']}" if row["way"] else row["peer"]
    ratio = _number(row["ratio"]) + spread
    return [row["work"], row["network"], ours, name, peer, ratio, megabytes, megaflops, floor, waiting, peak]


def _number(value: float | None) -> str:
    """Three digits."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *body])
