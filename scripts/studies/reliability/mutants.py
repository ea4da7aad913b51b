# SPDX-License-Identifier: Apache-2.0
"""Damaged files: each is restored rightly or refused, without crash, hang or memory over a bound."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from .children import Ended, run_child
from .mutation import mutate
from .restoring import Restoring
from .second_reader import READERS, Voxels
from .seeds import SEEDS

__all__ = ["SHARES", "Mutants", "restore_mutants"]

SHARES = {"NIfTI": 0.4, "DICOM": 0.2, "NRRD": 0.2, "MHA": 0.2}
BATCH = 40
BATCH_SECONDS = 120.0
MEMORY_MB = 1500.0
"""Most that a process may take, torch and ITK included, which take 500 MB before any file is read."""
NEAR = 1e-5
"""Difference of equal voxels, as a share of the largest: float32 rounds."""


@dataclass
class Mutants:
    """What became of the damaged files of a format.

    Attributes:
        accepted: number of those restored.
        refused: number by reason, the numbers in it left out.
        compared: accepted files that a second reader reads, too.
        unread: accepted ones that it does not read.
        wrong: names of those whose voxels differ from those that the second reader finds.
        failures: crashes, hangs, and files of which the report says nothing or two things.
        peak_mb: largest memory of a process.
    """

    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    compared: int = 0
    unread: int = 0
    wrong: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    peak_mb: float = 0.0

    @property
    def total(self) -> int:
        """Number of files."""
        return self.accepted + self.refused.total() + len(self.failures)

    def add(self, other: Mutants) -> None:
        """Add the files of another batch."""
        self.accepted += other.accepted
        self.refused += other.refused
        self.compared += other.compared
        self.unread += other.unread
        self.wrong += other.wrong
        self.failures += other.failures
        self.peak_mb = max(self.peak_mb, other.peak_mb)


def restore_mutants(kind: str, seeds: Sequence[int], folder: Path) -> Iterator[Mutants]:
    """Damage files, restore them with a network that changes nothing, and compare.

    Args:
        kind: format, see :data:`~scripts.studies.reliability.seeds.SEEDS`.
        seeds: a file for each.
        folder: folder of temporary files.

    Yields:
        What became of each batch.
    """
    for start in range(0, len(seeds), BATCH):
        yield _batch(kind, seeds[start : start + BATCH], folder / f"{kind}-{seeds[start]}")


def _batch(kind: str, seeds: Sequence[int], folder: Path) -> Mutants:
    shutil.rmtree(folder, ignore_errors=True)
    paths = {f"{seed:06d}": _damaged(kind, seed, folder / "in" / f"{seed:06d}") for seed in seeds}
    restoring = Restoring(folder / "in", folder / "out")
    found = Mutants()
    left = dict(paths)
    while left:
        ended = run_child(restoring, folder / "log", seconds=BATCH_SECONDS)
        found.peak_mb = max(found.peak_mb, ended.peak_mb)
        report = restoring.report()
        if report.get("finished"):
            break
        said = {entry["name"].partition("/")[0] for entry in (*report.get("restored", ()), *report.get("skipped", ()))}
        culprit = next((name for name in sorted(left) if name not in said), sorted(left)[0])
        found.failures.append(f"{kind} {culprit}: {_how(ended)}")
        shutil.rmtree(folder / "in" / culprit)
        del left[culprit]
    if found.peak_mb > MEMORY_MB:
        found.failures.append(f"{kind} {min(paths)} to {max(paths)}: {found.peak_mb:.0f} MB")
    _count(kind, left, report, folder, found)
    if not found.failures and not found.wrong:
        shutil.rmtree(folder)
    return found


def _damaged(kind: str, seed: int, folder: Path) -> Path:
    folder.mkdir(parents=True)
    writers = SEEDS[kind]
    path = writers[seed % len(writers)](folder, seed)
    mutate(path, seed)
    return path


def _how(ended: Ended) -> str:
    if not ended.in_time:
        return f"no end within {BATCH_SECONDS:.0f} s"
    return f"exit status {ended.status}"


def _count(kind: str, paths: dict[str, Path], report: dict[str, Any], folder: Path, found: Mutants) -> None:
    """Count what the report says of each file, and compare the results in a child: ITK reads damaged files there."""
    results: dict[str, list[str]] = {name: [] for name in paths}
    reasons: dict[str, str] = {}
    for entry in report.get("restored", ()):
        results[entry["name"].partition("/")[0].partition(" ")[0]].append(entry["output"])
    for entry in report.get("skipped", ()):
        reasons.setdefault(entry["name"].partition("/")[0].partition(" ")[0], entry["reason"])
    for name in paths:
        if results[name]:
            found.accepted += 1
        elif name in reasons:
            found.refused[re.sub(r"0x[0-9a-f]+|[\d.]+(?=\d)\d", "0", reasons[name])] += 1
        else:
            found.failures.append(f"{kind} {name}: not a word")
    pairs = {name: (paths[name], folder / "out" / outputs[0]) for name, outputs in results.items() if outputs}
    answer = folder / "comparison"

    def compare() -> None:
        with answer.open("w", encoding="utf-8") as file:
            for name, (path, result) in pairs.items():
                file.write(json.dumps([name, _same(kind, path, result)]) + "\n")
                file.flush()

    run_child(compare, folder / "log", seconds=BATCH_SECONDS)
    verdicts = dict(json.loads(line) for line in answer.read_text(encoding="utf-8").splitlines())
    for name in pairs:
        verdict = verdicts.get(name)
        found.compared += verdict is not None
        found.unread += verdict is None
        if verdict is False:
            found.wrong.append(f"{kind} {name}")


def _same(kind: str, path: Path, result: Path) -> bool | None:
    """Whether a second reader finds these voxels; None where none reads the file."""
    given: Any = nib.load(result)
    voxels = given.get_fdata()
    verdict = None
    for read in READERS[kind]:
        try:
            expected = read(path)
        except Exception:  # it does not read this file
            continue
        if _equal(expected, voxels):
            return True
        verdict = False
    return verdict


def _equal(expected: Voxels, voxels: Voxels) -> bool:
    if expected.squeeze().shape != voxels.squeeze().shape:
        return False
    largest = np.abs(voxels[np.isfinite(voxels)]).max(initial=0)
    return np.allclose(expected.squeeze(), voxels.squeeze(), rtol=NEAR, atol=NEAR * largest, equal_nan=True)
