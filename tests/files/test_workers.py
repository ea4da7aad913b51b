# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from scripts.files.workers import run_in_processes, usable_threads

ROOT = Path(__file__).resolve().parents[2]


def prepare() -> None:
    os.environ["PREPARED"] = "yes"


def work(job: str) -> str:
    if job == "raise":
        raise ValueError("of its own")
    if job == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return f"{job} {os.environ['PREPARED']} {os.environ['OMP_NUM_THREADS']}"


def slow(path: str) -> None:
    """What a killed parent must not leave behind."""
    try:
        time.sleep(60)
    finally:
        Path(path).write_text("finished")


def test_a_process_that_dies_takes_no_other_job_with_it(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "6")
    done = dict(run_in_processes(work, ["a", "raise", "die", "b", "c"], 2, prepare))
    assert [done[job] for job in "abc"] == ["a yes 3", "b yes 3", "c yes 3"]
    assert str(done["raise"]) == "of its own"
    assert isinstance(done["die"], ChildProcessError)
    assert os.environ["OMP_NUM_THREADS"] == "6"


def test_threads_are_those_that_the_process_may_use(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert usable_threads() == len(os.sched_getaffinity(0))


def test_workers_end_with_their_parent(tmp_path):
    """What is being written is finished, whether the parent may say goodbye (SIGTERM) or not (SIGKILL)."""
    program = (
        "import sys; from tests.files.test_workers import run_in_processes, slow, prepare\n"
        "from scripts.files.errors import heed_termination\n"
        "if __name__ == '__main__':\n"
        "    heed_termination(); list(run_in_processes(slow, [sys.argv[1]], 1, prepare))"
    )
    (tmp_path / "program.py").write_text(program)
    for number in (signal.SIGTERM, signal.SIGKILL):
        mark = tmp_path / f"mark-{number}"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        parent = subprocess.Popen(
            [sys.executable, tmp_path / "program.py", mark], env=environment, stderr=subprocess.DEVNULL
        )
        begin = time.monotonic()
        while not _children(parent.pid) and time.monotonic() < begin + 20:
            time.sleep(0.05)
        time.sleep(2.0)
        parent.send_signal(number)
        parent.wait(20)
        while not mark.exists() and time.monotonic() < begin + 40:
            time.sleep(0.05)
        assert mark.read_text() == "finished"


def _children(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()
