# SPDX-License-Identifier: Apache-2.0
"""Work in a process of its own, with a limit of time and memory, and a signal at a moment of one's choice."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Ended", "run_child"]

TICK = 0.005


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes:
        status: exit status; negative: the number of the signal.
        peak_mb: largest memory of the child and of its own children, MB.
        seconds: time it took.
        in_time: whether it came to its end by itself.
    """

    status: int
    peak_mb: float
    seconds: float
    in_time: bool


def run_child(
    work: Callable[[], object],
    log: Path,
    *,
    seconds: float,
    memory_gb: float = 8.0,
    kill_after: float | None = None,
    number: int = signal.SIGKILL,
) -> Ended:
    """Fork, do the work in the child, and wait for its end.

    The parent has imported all that the child needs, so that a child starts in no time; it must have no threads.

    Args:
        work: function, whose result is ignored.
        log: file of its output.
        seconds: after so much time it is killed.
        memory_gb: address space of the child.
        kill_after: seconds after which it gets a signal, unless it has ended.
        number: the signal.
    """
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        _work(work, log, memory_gb)
    in_time, sent = True, False
    while True:
        found, status, used = os.wait4(child, os.WNOHANG)
        passed = time.monotonic() - begin
        if found:
            return Ended(os.waitstatus_to_exitcode(status), used.ru_maxrss / 1024, passed, in_time)
        if kill_after is not None and passed > kill_after and not sent:
            os.kill(child, number)
            sent = True
        if passed > seconds:
            in_time = False
            os.kill(child, signal.SIGKILL)
        time.sleep(TICK)


def _work(work: Callable[[], object], log: Path, memory_gb: float) -> None:
    import resource

    status = 1
    try:
        with log.open("ab", buffering=0) as file:
            for stream in (1, 2):
                os.dup2(file.fileno(), stream)
        size = int(memory_gb * 2**30)
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)
