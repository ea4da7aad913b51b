# SPDX-License-Identifier: Apache-2.0
"""A match: contenders that do the same work, in turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from .child import Child
from .contenders import Round
from .counter import Counted

__all__ = ["OURS", "Effort", "Entrant", "Match", "Outcome", "play"]

OURS = "ours"
#: Untimed steps before each round, as a share of its steps: caches, and the batches that workers hold ready, are then
#: those of a long run.
LEAD_IN = 0.5
#: A first measurement is trusted if it takes this share of a round.
TRUSTED = 0.2


@dataclass(frozen=True)
class Effort:
    """How long a measurement takes.

    Attributes:
        rounds: rounds of each entrant.
        round_seconds: approximate length of a round; at least one step is done.
        training: subjects whose slices are used for training.
        validation: subjects whose slices are used for evaluation.
        volumes: volumes restored in a pass.
    """

    rounds: int
    round_seconds: float
    training: int
    validation: int
    volumes: int


@dataclass(frozen=True)
class Entrant:
    """Who takes part.

    Attributes:
        name: ``OURS``, or that of a peer. Ways of one peer share its name.
        start: function that starts its process, given the file of its log.
        way: distinction between them, such as "2 workers".
    """

    name: str
    start: Callable[[Path], Child]
    way: str = ""


@dataclass(frozen=True)
class Match:
    """One work of one network, and who does it; ``OURS`` first."""

    work: str
    network: str
    entrants: Sequence[Entrant]

    @property
    def title(self) -> str:
        """For the progress bar and the logs."""
        return f"{self.work} {self.network}"


@dataclass(frozen=True)
class Outcome:
    """How an entrant did.

    Attributes:
        entrant: who.
        rates: slices per second of each round.
        wait_share: median share of a round in which the device waited for data.
        peak_mb: peak memory of its process in 10**6 bytes.
        counted: bytes and operations of a slice (``OURS`` alone).
    """

    entrant: Entrant
    rates: tuple[float, ...]
    wait_share: float
    peak_mb: float
    counted: Counted


def play(match: Match, effort: Effort, log_dir: Path) -> tuple[list[Outcome], list[str]]:
    """Let entrants do rounds of about the same length in turns: A B C A B C ...

    The machine may be busy with other things for seconds at a time; what is compared lies next to each other.

    Args:
        match: match to play.
        effort: number and length of the rounds.
        log_dir: folder of the logs of the processes.

    Returns:
        The outcomes, that of ``OURS`` first, and one line for each peer that could not take part.

    Raises:
        ChildProcessError: ``OURS`` failed, or a peer that had begun.
    """
    with ExitStack() as stack:
        children: list[tuple[Entrant, Child, int]] = []
        failures: list[str] = []
        for entrant in match.entrants:
            try:
                log = log_dir / ("-".join(f"{match.title} {entrant.name} {entrant.way}".split()) + ".log")
                child = stack.enter_context(entrant.start(log))
                children.append((entrant, child, _steps(child, effort.round_seconds)))
            except ChildProcessError as error:
                if entrant.name == OURS:
                    raise
                failures.append(f"{match.title}, {entrant.name}: {str(error).splitlines()[0]}")
        turns = [[_round(child, steps) for _, child, steps in children] for _ in range(effort.rounds)]
        return [
            Outcome(
                entrant,
                tuple(round_.slices / round_.seconds for round_ in rounds),
                statistics.median(round_.wait_seconds / round_.seconds for round_ in rounds),
                child.peak_mb(),
                child.count() if entrant.name == OURS else Counted(),
            )
            for (entrant, child, _), rounds in zip(children, zip(*turns, strict=True), strict=True)
        ], failures


def _steps(child: Child, round_seconds: float) -> int:
    """Warm up, and find how many steps a round takes."""
    steps, seconds = 1, child.run(1).seconds
    if seconds < round_seconds:  # else a second step would not change the answer
        seconds = child.run(1).seconds
    while seconds < TRUSTED * round_seconds:
        steps *= 4
        seconds = child.run(steps).seconds
    return max(1, round(steps * round_seconds / seconds))


def _round(child: Child, steps: int) -> Round:
    if lead_in := int(LEAD_IN * steps):
        child.run(lead_in)
    return child.run(steps)
