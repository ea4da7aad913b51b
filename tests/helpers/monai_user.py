# SPDX-License-Identifier: Apache-2.0
"""Calls of MONAI as its users make them, in a process that knows nothing of this repository.

A child of one process with MONAI loaded runs each call, which costs a tenth of a new process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROGRAM = """
import atexit, json, os, runpy, sys, warnings
warnings.simplefilter("ignore")
import ignite.engine, monai.bundle, monai.engines, monai.handlers, torch
torch.set_num_threads(1)
assert not any(name.partition(".")[0] in ("scripts", "tests") for name in sys.modules)
for number, call in enumerate(json.load(open(sys.argv[1]))):
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        json.dump(os.waitstatus_to_exitcode(status), open(f"{number}.status", "w"))
        continue
    for name, stream in (("out", 1), ("err", 2)):
        os.dup2(os.open(f"{number}.{name}", os.O_WRONLY | os.O_CREAT), stream)
    status, sys.argv = 0, ["monai.bundle", *call]
    try:
        if call[0] == "-c":
            exec(call[1], {"__name__": "__main__"})
        else:
            runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException as error:
        status = 1
        sys.excepthook(type(error), error, error.__traceback__)
    sys.stdout.flush()
    sys.stderr.flush()
    atexit._run_exitfuncs()
    os._exit(status)
"""


@dataclass
class Answer:
    """How a call ended."""

    status: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The line with which it ended; empty if there is more of a traceback than a line."""
        return "" if "Traceback" in self.err else (self.err.strip().splitlines() or [""])[-1]


def monai_calls(calls: list[list[str]], folder: Path) -> list[Answer]:
    """Make calls of ``python -m monai.bundle``, or of ``python -c``, one after the other.

    Args:
        calls: words of each; ``["-c", program]`` is a program.
        folder: working directory.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "calls.json").write_text(json.dumps(calls))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", PROGRAM, "calls.json"], cwd=folder, env=environment, check=True)
    texts = [
        [
            (folder / f"{number}.{name}").read_text(encoding="utf-8", errors="replace")
            for name in ("status", "out", "err")
        ]
        for number in range(len(calls))
    ]
    return [Answer(int(status), out, err) for status, out, err in texts]
