# SPDX-License-Identifier: Apache-2.0
"""Many volumes: the memory of a long run, and a large cohort."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from ...data.prepare import prepare_cohort
from .children import run_child
from .restoring import Restoring
from .seeds import small_head

__all__ = ["Prepared", "Restored", "prepare_many", "restore_many"]

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
HEAD = (64, 72, 60)
SECONDS = 3600.0


@dataclass(frozen=True)
class Restored:
    """A long run.

    Attributes:
        volumes: number of volumes restored.
        seconds: time it took.
        memory_mb: memory after a tenth, a half and all of the volumes.
    """

    volumes: int
    seconds: float
    memory_mb: tuple[float, ...]


@dataclass(frozen=True)
class Prepared:
    """A large cohort.

    Attributes:
        subjects: number of subjects in it.
        parts: number of parts that each of them is in, at most.
        seconds: time that preparing took.
        memory_mb: largest memory.
    """

    subjects: int
    parts: int
    seconds: float
    memory_mb: float


def restore_many(count: int, folder: Path) -> Restored:
    """Restore volumes with the shipped network in one run, and watch its memory.

    Args:
        count: number of volumes; ten files with many names.
        folder: folder of temporary files.
    """
    inputs, watched = folder / "in", folder / "memory.json"
    inputs.mkdir(parents=True)
    for number in range(count):
        path = inputs / f"{number:04d}.nii"
        if number < 10:
            nib.save(nib.Nifti1Image(small_head(number, HEAD), AFFINE), path)
        else:
            path.hardlink_to(inputs / f"{number % 10:04d}.nii")
    restoring = Restoring(inputs, folder / "out", shipped=True)

    def work() -> None:
        memory: list[tuple[int, float]] = []
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.2):
                done = len(list((folder / "out").glob("*_restored.nii.gz")))
                memory.append((done, _memory_mb()))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            restoring()
        finally:
            ended.set()
            watcher.join()
            watched.write_text(json.dumps(memory), encoding="utf-8")

    ended = run_child(work, folder / "log", seconds=SECONDS)
    memory = json.loads(watched.read_text(encoding="utf-8"))
    marks = tuple(
        max(mb for done, mb in memory if done <= max(share * count, memory[0][0])) for share in (0.1, 0.5, 1.0)
    )
    return Restored(len(restoring.report().get("restored", [])), ended.seconds, marks)


def _memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def prepare_many(count: int, folder: Path) -> Prepared:
    """Prepare a cohort of small heads with brain masks.

    Args:
        count: number of subjects.
        folder: folder of temporary files; the cohort is in its ``data``.
    """
    for number in range(count):
        place = folder / f"in/sub-{number:04d}/anat"
        place.mkdir(parents=True)
        head = small_head(number)
        nib.save(nib.Nifti1Image(head, AFFINE), place / f"sub-{number:04d}_T1w.nii")
        mask = nib.Nifti1Image((head > 200).astype(np.uint8), AFFINE)
        nib.save(mask, place / f"sub-{number:04d}_desc-brain_mask.nii")

    def work() -> None:
        logging.disable(logging.CRITICAL)
        prepare_cohort(folder / "in", folder / "data", selection="nonzero_count")

    begin = time.monotonic()
    ended = run_child(work, folder / "log", seconds=SECONDS)
    path = folder / "data/dataset.json"
    cohort = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    subjects = [{item["subject"] for item in cohort.get(part, ())} for part in ("training", "validation", "test")]
    named = set().union(*subjects)
    parts = max((sum(name in part for part in subjects) for name in named), default=0)
    return Prepared(len(named), parts, time.monotonic() - begin, ended.peak_mb)
