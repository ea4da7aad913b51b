# SPDX-License-Identifier: Apache-2.0
"""Do the tests bite? Make one plausible mistake after another in a copy of the repository, and see a test fail.

``python tests/mutants.py [FILE_PATTERN]``, where the pattern, such as ``scripts/latent/*``, chooses among the mistakes
of ``mutants.yaml``. The exit status is 1 if one of them survives.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ["pytest", "monai.bundle", "monai.metrics", "nibabel", "pandas", "scipy.stats", "sklearn.neighbors",
         "skimage.filters", "skimage.metrics", "matplotlib.figure", "ignite.engine"]  # fmt: skip
"""Imported once; every mistake starts with a fork of the process that did."""
SECONDS = 600
"""A mistake that keeps the tests busy for longer is caught."""


class Mutant(NamedTuple):
    """A mistake in one place, and the tests that have to notice it."""

    file: str
    old: str
    new: str
    tests: list[str]


def copy_repository(copy: Path) -> None:
    """Copy what git tracks, and what is new, as it is now."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)


def pytest_in(copy: Path, log: Path, tests: Sequence[str]) -> None:
    """Run tests of the copy, as a process of its own."""
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.dont_write_bytecode, os.environ["PYTHONDONTWRITEBYTECODE"] = True, "1"  # it may be that of another mistake
    sys.path.insert(0, str(copy))
    os.chdir(copy)
    sys.exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])))


def failure(copy: Path, tests: Sequence[str]) -> str | None:
    """What the tests said if one of them fails; ``None`` if all pass.

    Raises:
        SystemExit: no test was run.
    """
    log = copy.with_suffix(".log")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(HEAVY)
    process = context.Process(target=pytest_in, args=(copy, log, tests))
    process.start()
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        return f"no end within {SECONDS} s"
    if process.exitcode not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise SystemExit(log.read_text(encoding="utf-8"))
    return log.read_text(encoding="utf-8") if process.exitcode else None


def outcome(copy: Path, mutant: Mutant) -> str:
    """Make a mistake, run its tests and undo it; ``caught``, or why not."""
    file = copy / mutant.file
    right = file.read_text(encoding="utf-8")
    if (count := right.count(mutant.old)) != 1:
        return f"NOT MADE, {mutant.old!r} is {count} times in the file"
    file.write_text(right.replace(mutant.old, mutant.new), encoding="utf-8")
    found = failure(copy, mutant.tests)
    file.write_text(right, encoding="utf-8")
    return "SURVIVED" if found is None else "caught"


def main(pattern: str = "*") -> int:
    """Make all mistakes whose file has a name of this pattern; the exit status."""
    entries = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    mutants = [mutant for mutant in (Mutant(**entry) for entry in entries) if fnmatch(mutant.file, pattern)]
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder).resolve() / "copy"
        copy_repository(copy)
        say(f"{len(mutants)} mistakes; their tests without any of them ...")
        if said := failure(copy, sorted({test for mutant in mutants for test in mutant.tests})):
            say(said)
            return 1
        for number, mutant in enumerate(mutants, start=1):
            start = time.monotonic()
            outcomes.append(outcome(copy, mutant))
            seconds = time.monotonic() - start
            say(f"{number} of {len(mutants)}: {outcomes[-1]}, {seconds:.0f} s, {mutant.file}: {mutant.new.strip()}")
    return int(outcomes.count("caught") < len(mutants))


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
