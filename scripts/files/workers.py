# SPDX-License-Identifier: Apache-2.0
"""Jobs in processes of their own: one that is killed, whatever by, takes no other with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from .errors import heed_termination

__all__ = ["run_in_processes", "usable_threads"]

Job = TypeVar("Job")
LAST_SECONDS = 30.0
"""What a worker without its parent has to finish what it writes."""


def run_in_processes(
    function: Callable[[Job], Any], jobs: Iterable[Job], processes: int, prepare: Callable[[], None]
) -> Iterator[tuple[Job, Any]]:
    """Do jobs, some at a time, and share the threads of this process among them.

    A process does one job after another. Where it dies, a new one takes its place. Ends this process, by an error,
    Ctrl-C or SIGTERM, the others finish what they are writing and end, too.

    Args:
        function: function of a module, called with a job.
        jobs: what it is called with.
        processes: number of processes.
        prepare: called first in each of them.

    Yields:
        Each job as it ends, with the result, or with what the function raised: a ``ChildProcessError`` where its
        process died.
    """
    waiting = list(jobs)[::-1]
    processes = max(1, min(processes, len(waiting)))
    threads = max(1, usable_threads() // processes)
    idle: list[ProcessPoolExecutor] = []
    running: dict[Future[Any], tuple[ProcessPoolExecutor, Job]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                pool = idle.pop() if idle else _pool(prepare)
                job = waiting.pop()
                with _environment("OMP_NUM_THREADS", str(threads)):  # the process starts here
                    running[pool.submit(_work, function, job)] = pool, job
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                pool, job = running.pop(future)
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    pool.shutdown()
                    error = ChildProcessError("its process was killed: was there not enough memory?")
                else:
                    idle.append(pool)
                yield job, future.result() if error is None else error
    finally:
        for process in multiprocessing.active_children() if running else ():
            process.terminate()
        for pool in (*idle, *(pool for pool, _ in running.values())):
            pool.shutdown(cancel_futures=True)


def usable_threads() -> int:
    """Threads that this process may use: ``OMP_NUM_THREADS``, or the processors that the system gives it."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdecimal() and int(given):
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _pool(prepare: Callable[[], None]) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin, (prepare,))


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    former = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if former is None:
            del os.environ[name]
        else:
            os.environ[name] = former


def _begin(prepare: Callable[[], None]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all of them; the parent passes it on
    threading.Thread(target=_follow, daemon=True).start()
    prepare()


def _work(function: Callable[[Job], Any], job: Job) -> Any:
    heed_termination()
    try:
        return function(job)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # while it waits for the next job it may end at once


def _follow() -> None:
    """End with the parent, which may be killed without a chance to say so."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(LAST_SECONDS)
        os._exit(1)
