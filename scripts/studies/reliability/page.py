# SPDX-License-Identifier: Apache-2.0
"""The page of what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ..machine import describe_machine
from .kills import Kills
from .many import Prepared, Restored
from .mutants import MEMORY_MB, Mutants

__all__ = ["LEAST_ACCEPTED", "Findings", "page"]

LEAST_ACCEPTED = 1 / 3
"""Share of the damaged files that must be accepted: to refuse all would be no answer."""
MOST_GROWTH = 1.05
"""Memory at the end of a long run, relative to that after half of it."""
REASONS = 12


TEXT = """\
# Reliability

Written by `make reliability N={found.scale:g}` (seed {found.seed}) on {date}, {machine}, in {minutes:.0f} minutes.
N = 1 is the whole measurement: 10,000 damaged files, 50 kills of either process, 500 volumes, 2,000 subjects.

## Damaged files

Small valid files are damaged at random (bits, bytes, cut off, pieces removed, repeated, swapped, other numbers; half of
it in the header) and restored with a network that changes nothing, each batch in a process of its own. An accepted file
must have the voxels that a second reader finds: ITK or plain arithmetic for NIfTI, pydicom for DICOM, plain arithmetic
for NRRD and MHA.

| format | files | accepted | compared | other voxels | refused | crash, hang, no word, memory | peak MB |
|---|---|---|---|---|---|---|---|
{rows}

{share:.0%} were accepted. Of these, {unread} could not be compared, as no second reader reads them. A process may take
{memory:.0f} MB, libraries included. The most frequent reasons, with 0 for each number:

| files | reason |
|---|---|
{reasons}

## Killed processes

At random moments, two of three by SIGKILL, the others by SIGTERM; then started again, until all is done.

| process | kills | whole runs | looked at after each kill |
|---|---|---|---|
| inference, `--skip_existing` | {found.restoring.kills} | {found.restoring.runs} | all results are whole; report.json \
tells of all but one at most; nothing else is left at the end |
| training, `--resume` | {found.training.kills} | {found.training.runs} | files can be read; weights and losses at the \
end are those of a training that was left alone, bit for bit |

## Many volumes

- {found.restored.volumes:,} volumes of 64 x 72 x 60 in one run with the shipped network:
  {found.restored.seconds:.0f} s, {run} MB of memory after a tenth, a half and all of them.
- {found.prepared.subjects:,} subjects prepared in {found.prepared.seconds:.0f} s, writing the files included, with
  {found.prepared.memory_mb:.0f} MB at most; nobody is in two parts.

## What is wrong

{failures}
"""


@dataclass(frozen=True)
class Findings:
    """What was found.

    Attributes:
        scale: share of the whole measurement that was made.
        seed: seed of all that is random.
        mutants: by format.
        restoring: killed inference.
        training: killed training.
        restored: a long run.
        prepared: a large cohort.
        seconds: time of all.
    """

    scale: float
    seed: int
    mutants: Mapping[str, Mutants]
    restoring: Kills
    training: Kills
    restored: Restored
    prepared: Prepared
    seconds: float

    def failures(self) -> list[str]:
        """All that is not as it must be."""
        found = [line for one in self.mutants.values() for line in one.failures]
        found += [f"{name}: other voxels" for one in self.mutants.values() for name in one.wrong]
        total, accepted = self.counted()
        if accepted < LEAST_ACCEPTED * total:
            found.append(f"only {accepted} of {total} damaged files were accepted")
        found += [f"restoring, {line}" for line in self.restoring.failures]
        found += [f"training, {line}" for line in self.training.failures]
        half, end = self.restored.memory_mb[1:]
        if end > MOST_GROWTH * half:
            found.append(f"memory of a long run grew from {half:.0f} to {end:.0f} MB")
        if self.prepared.parts != 1:
            found.append(f"a subject of the large cohort is in {self.prepared.parts} parts")
        return found

    def check(self) -> None:
        """Raise where something is not as it must be.

        Raises:
            ValueError: all of it, a line each.
        """
        if failures := self.failures():
            raise ValueError(f"{len(failures)} failures:\n  " + "\n  ".join(failures))

    def counted(self) -> tuple[int, int]:
        """Number of damaged files, and of those accepted."""
        return sum(one.total for one in self.mutants.values()), sum(one.accepted for one in self.mutants.values())


def page(found: Findings) -> str:
    """Markdown."""
    total, accepted = found.counted()
    reasons: Counter[str] = Counter()
    for one in found.mutants.values():
        reasons += one.refused
    rows = [
        (
            kind,
            one.total,
            one.accepted,
            one.compared,
            len(one.wrong),
            one.refused.total(),
            len(one.failures),
            one.peak_mb,
        )
        for kind, one in found.mutants.items()
    ]
    return TEXT.format(
        found=found,
        machine=describe_machine("cpu"),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        minutes=found.seconds / 60,
        rows="\n".join("| " + " | ".join([row[0], *(f"{value:,.0f}" for value in row[1:])]) + " |" for row in rows),
        share=accepted / total,
        unread=sum(one.unread for one in found.mutants.values()),
        memory=MEMORY_MB,
        reasons="\n".join(f"| {count:,} | {why.replace('|', ' ')} |" for why, count in reasons.most_common(REASONS)),
        run=", ".join(f"{mb:.0f}" for mb in found.restored.memory_mb),
        failures="\n".join(f"- {line}" for line in found.failures()) or "Nothing that was looked for.",
    )
