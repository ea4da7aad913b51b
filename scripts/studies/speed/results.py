# SPDX-License-Identifier: Apache-2.0
"""All results of a run: ``speed.csv`` for programs, ``speed.md`` for people.

FOLDED: One line of the table of results.
FOLDED: What fast arithmetic costs: the published weights on damaged slices of test subjects, in several arithmetics.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import monai
import torch
from torch import Tensor, nn

from ...files.atomic import replacing
from ...metrics.restoration import peak_signal_to_noise_ratio
from .counter import Counted
from .machine import Machine
from .match import Effort, Failure, Outcome
from .matches import Match
from .ours import DEFAULT_NETWORK, Task, inference_config, train_config

__all__ = ["COLUMNS", "Accuracy", "Results", "Row", "measure_accuracy", "rows_of"]

COLUMNS = (
    "work", "network", "device", "ours_per_s", "peer", "peer_per_s", "ratio", "floor_share", "wait_share", "peak_mb",
)  # fmt: skip
#: In the others the device is given what it needs beforehand, or does nothing but fetch it.
WORKS_THAT_WAIT = ("train_step", "evaluation", "inference", "inference_256")


@dataclass(frozen=True)
class Row:
    """One work of one network against one peer; rates are medians over the rounds, in slices per second.

    Attributes:
        work: plane of work.
        network: name, or "all" where it does not matter.
        device: "cpu" or "cuda".
        ours_per_s: this project's rate.
        peer: with whom it is compared; "" where no peer could take part.
        peer_per_s: the peer's rate, in the fastest of its ways.
        ratio: median over the rounds of ours / peer.
        floor_share: share of the measured time that the machine's limits account for.
        wait_share: share of the time in which the device waited for data.
        peak_mb: peak memory of this project's process, 10**6 bytes.
        way: the fastest way of the peer.
        ratio_range: lowest and highest ratio of a round.
        megabytes: moved for a slice.
        megaflops: floating-point operations for a slice, in millions.
    """

    work: str
    network: str
    device: str
    ours_per_s: float
    peer: str
    peer_per_s: float | None
    ratio: float | None
    floor_share: float
    wait_share: float | None
    peak_mb: float | None
    way: str
    ratio_range: tuple[float, float] | None
    megabytes: float
    megaflops: float


def rows_of(match: Match, device: str, outcomes: Sequence[Outcome], machine: Machine) -> list[Row]:
    """One row for each peer, in its fastest way; a row without a peer where there is none."""
    ours, *peers = outcomes
    fastest: dict[str, Outcome] = {}
    for peer in sorted(peers, key=lambda peer: statistics.median(peer.rates)):
        fastest[peer.entrant.name] = peer
    counted = ours.counted or Counted()
    rate = statistics.median(ours.rates)

    def row(peer: Outcome | None) -> Row:
        ratios = [mine / other for mine, other in zip(ours.rates, peer.rates, strict=True)] if peer else []
        return Row(
            work=match.work,
            network=match.network,
            device=device,
            ours_per_s=rate,
            peer=peer.entrant.name if peer else "",
            peer_per_s=statistics.median(peer.rates) if peer else None,
            ratio=statistics.median(ratios) if ratios else None,
            floor_share=machine.floor_seconds(counted) * rate,
            wait_share=ours.wait_share if match.work in WORKS_THAT_WAIT else None,
            peak_mb=ours.peak_mb,
            way=peer.entrant.way if peer else "",
            ratio_range=(min(ratios), max(ratios)) if ratios else None,
            megabytes=counted.bytes_moved / 1e6,
            megaflops=sum(counted.operations.values()) / 1e6,
        )

    return [row(peer) for peer in fastest.values()] or [row(None)]


@dataclass(frozen=True)
class Accuracy:
    """One way to compute.

    Attributes:
        name: which.
        slices: number of slices.
        psnr: of the mean squared error of all their pixels, in dB.
        largest_difference: of a pixel from the plain network's, 1 = the volume's 99.5th percentile.
    """

    name: str
    slices: int
    psnr: float
    largest_difference: float


def measure_accuracy(task: Task) -> list[Accuracy]:
    """Restore the same damaged slices with the network as configured, in both precisions, and plain.

    The plain network is the class itself with the published weights: float32, nothing folded.

    Args:
        task: its sample's test subjects are restored; its network does not matter.

    Returns:
        The plain network first.
    """
    task = dataclasses.replace(task, network=DEFAULT_NETWORK)
    damaged, clean = _damaged_slices(task)
    config = inference_config(task)
    plain = config.get_parsed_content("network_def").to(task.device)
    plain.load_state_dict(torch.load(config.get_parsed_content("weights"), weights_only=True))
    networks = {
        "plain float32": plain.eval(),
        "float32, all else on": inference_config(task, amp=False).get_parsed_content("network"),
        "bfloat16, all else on": inference_config(task, amp=True).get_parsed_content("network"),
        "as configured": inference_config(task).get_parsed_content("network"),
    }
    restored = {name: _restore(network, damaged) for name, network in networks.items()}
    reference = restored["plain float32"]
    return [
        Accuracy(
            name,
            len(clean),
            peak_signal_to_noise_ratio(float((image - clean).square().mean())),
            float((image - reference).abs().max()),
        )
        for name, image in restored.items()
    ]


def _damaged_slices(task: Task) -> tuple[Tensor, Tensor]:
    """Slices of the test subjects, damaged and clean, ``(N, 1, H, W)``."""
    held_out: dict[str, Any] = {"validate#datalist#part": "test"}
    config = train_config(task, **held_out)
    prepare_batch = config.get_parsed_content("validate#evaluator").prepare_batch
    loader = config.get_parsed_content("validate#dataloader")
    pairs = [prepare_batch(batch, torch.device(task.device)) for batch in loader]
    damaged, clean = (torch.cat(images) for images in zip(*pairs, strict=True))
    return damaged, clean


@torch.no_grad()
def _restore(network: nn.Module, images: Tensor, batch_size: int = 16) -> Tensor:
    return torch.cat([network(batch) for batch in images.split(batch_size)])


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
