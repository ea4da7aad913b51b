# SPDX-License-Identifier: Apache-2.0
"""Do the tests bite? Make one plausible mistake after another in a copy of the repository, and see a test fail.

``python tests/mutants.py [FILE_PATTERN]``, where the pattern, such as ``scripts/latent/*``, chooses among the mistakes of
``mutants.yaml``. The exit status is 1 if one of them survives.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[1]
CAUGHT = 1
"""Exit status of pytest where a test fails; others tell that no test was run."""
SECONDS = 300
"""A mistake that keeps the tests busy for longer is caught."""


class Mutant(NamedTuple):
    """A mistake in one place, and the tests that have to notice it."""

    file: str
    old: str
    new: str
    tests: list[str]


def copy_repository(copy: Path) -> None:
    """Copy what git tracks, and what is to be added, as it is now."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)


def run_tests(copy: Path, tests: Iterable[str]) -> tuple[int, str]:
    """Exit status of pytest, and the end of what it said."""
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return CAUGHT, f"no end within {SECONDS} s"
    return done.returncode, (done.stdout + done.stderr)[-2000:]


def survives(copy: Path, mutant: Mutant) -> str:
    """Why a mistake is not caught; empty where it is."""
    file = copy / mutant.file
    right = file.read_text(encoding="utf-8")
    if (count := right.count(mutant.old)) != 1:
        return f"not made: {mutant.old!r} is {count} times in the file"
    file.write_text(right.replace(mutant.old, mutant.new), encoding="utf-8")
    status, said = run_tests(copy, mutant.tests)
    file.write_text(right, encoding="utf-8")
    return {0: "SURVIVED", CAUGHT: ""}.get(status, f"not tested:\n{said}")


def main(pattern: str = "*") -> int:
    """Make all mistakes whose file has a name of this pattern; the exit status."""
    entries = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    mutants = [mutant for mutant in (Mutant(**entry) for entry in entries) if fnmatch(mutant.file, pattern)]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        copy_repository(copy)
        tests = sorted({test for mutant in mutants for test in mutant.tests})
        say(f"{len(mutants)} mistakes; their tests without any of them:")
        status, said = run_tests(copy, tests) if tests else (1, "no mistake has such a file")
        if status:
            say(said)
            return 1
        return int(sum([tell(number, mutants, copy) for number in range(len(mutants))]) > 0)


def tell(number: int, mutants: Sequence[Mutant], copy: Path) -> bool:
    """Make one mistake, say in one line what came of it, and return whether it was not caught."""
    mutant, start = mutants[number], time.monotonic()
    reason = survives(copy, mutant)
    line = mutant.new.strip().splitlines()[0]
    seconds = time.monotonic() - start
    say(f"{number + 1} of {len(mutants)}, {seconds:.0f} s, {reason or 'caught'}: {mutant.file}: {line}")
    return bool(reason)


def say(text: str) -> None:
    """One line at once."""
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
