# SPDX-License-Identifier: Apache-2.0
"""One line of the table of results."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from .counter import Counted
from .machine import Machine
from .match import Outcome
from .matches import Match

__all__ = ["COLUMNS", "Row", "rows_of"]

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
