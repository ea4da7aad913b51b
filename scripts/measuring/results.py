# SPDX-License-Identifier: Apache-2.0
"""All results of a run: ``speed.csv`` for programs, ``speed.md`` for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import monai
import torch

from ..replacing import replacing
from .accuracy import Accuracy
from .machine import Machine
from .match import Effort, Failure
from .row import COLUMNS, Row
from .task import Task

__all__ = ["Results"]

HOW_TO_READ = """\
Each contender is a process of its own; they take turns, and a ratio is the median over the rounds of the rates of two
neighbours. [lowest, highest] shows how quiet the machine was.

- **train_step**: batch, damage, forward, backward, optimiser, by the config's trainer. **evaluation**: the same without
  training, with the metrics. **inference**: whole volumes, read, restored, written. **forward**: the network alone, on
  one batch. **data**: clean batches from memory. **corruption**: damage of a batch.
- **monai**: the model zoo's way with the same slices, network class and metrics, in float32: `CacheDataset`, dictionary
  transforms for each sample, `DataLoader` with the number of workers that was faster, `SupervisedTrainer`,
  `SliceInferer`. **tensorflow**: the same network in Keras, on the device that it finds; it trains on one batch that is
  ready and undamaged. **plain**: the same network class in float32, nothing folded.
- **MB/slice**: inputs and outputs of every torch operation, as if each went from memory to memory. **MFLOP/slice**:
  convolutions and matrix products. **floor**: the time that those take at the bandwidth or at the rate above, whichever
  is longer, as a share of the time measured. Caches and fused operations can bring it above 100 %. Of inference, the
  network and what surrounds it in its thread are counted; reading and writing are not.
- **waiting**: on a CPU, from the request for a batch until the network can begin, damage included; on a GPU, until the
  batch is there, on the device's own clock. In inference: whenever the network is not at work.
- **peak**: resident memory of the process, libraries included; on a GPU, memory allocated there.
"""


@dataclass(frozen=True)
class Results:
    """What was measured.

    Attributes:
        task: data, device and seed.
        effort: rounds and subjects.
        machine: limits of the device.
        rows: the table.
        failures: title of the match, and the peer that could not take part.
        accuracies: what fast arithmetic costs.
    """

    task: Task
    effort: Effort
    machine: Machine
    rows: Sequence[Row]
    failures: Sequence[tuple[str, Failure]]
    accuracies: Sequence[Accuracy]

    def write(self, output_dir: Path) -> None:
        """Write both files, each whole or not at all.

        Raises:
            OSError: a file cannot be written.
        """
        for name, text in (("speed.csv", self.as_csv()), ("speed.md", self.as_markdown())):
            with replacing(output_dir / name) as partial:
                partial.write_text(text, encoding="utf-8")

    def as_csv(self) -> str:
        """The table with exactly ``COLUMNS``; what was not measured is empty."""
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        for row in self.rows:
            values = (getattr(row, column) for column in COLUMNS)
            writer.writerow([f"{value:.4g}" if isinstance(value, float) else value for value in values])
        return text.getvalue()

    def as_markdown(self) -> str:
        """Machine, table, accuracy, and how to read them."""
        parts = [
            "# Speed",
            self._circumstances(),
            _table(self._head(), map(self._line, self.rows)),
            *(f"Not measured: {title}, {failure.entrant.name}: {failure.reason}" for title, failure in self.failures),
            "## What fast arithmetic costs",
            "The published weights on damaged slices of test subjects.",
            _table(
                ["arithmetic", "slices", "PSNR, dB", "largest difference of a pixel from plain"],
                [[a.name, str(a.slices), f"{a.psnr:.3f}", f"{a.largest_difference:.2g}"] for a in self.accuracies],
            ),
            "## How to read it",
            HOW_TO_READ,
        ]
        return "\n\n".join(part.strip() for part in parts) + "\n"

    def _circumstances(self) -> str:
        machine, sample = self.machine, self.task.sample
        rates = ", ".join(f"{rate / 1e9:,.0f} in {name}" for name, rate in machine.operations_per_second.items())
        height, width = sample.slice_shape
        return (
            f"{machine.name}, load average {machine.load:.1f} before the start; torch {torch.__version__}, MONAI "
            f"{monai.__version__}. Limits, measured: {machine.bytes_per_second / 1e9:,.1f} GB/s copied (read and "
            f"written), matrix products at {rates} GFLOP/s.\n\n"
            f"Cohort {sample.name}, slices of {height} x {width}, seed {self.task.seed}. {self.effort.rounds} rounds "
            f"of about {self.effort.round_seconds:g} s for each contender."
        )

    def _head(self) -> list[str]:
        return [
            "work", "network", "ours, slices/s", "peer", "peer, slices/s", "ratio", "MB/slice", "MFLOP/slice", "floor",
            "waiting", "peak, MB",
        ]  # fmt: skip

    def _line(self, row: Row) -> list[str]:
        spread = " [{:.2f}, {:.2f}]".format(*row.ratio_range) if row.ratio_range else ""
        return [
            row.work,
            row.network,
            _number(row.ours_per_s),
            f"{row.peer}, {row.way}" if row.way else row.peer,
            _number(row.peer_per_s),
            _number(row.ratio) + spread,
            _number(row.megabytes),
            _number(row.megaflops),
            _percent(row.floor_share),
            _percent(row.wait_share),
            _number(row.peak_mb),
        ]


def _number(value: float | None) -> str:
    """Three digits."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *body])
