# SPDX-License-Identifier: Apache-2.0
"""Each contender in a process of its own: they can take turns, and each has its own peak memory."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import torch

from .contenders import Contender, Round
from .counter import Counted, Counter

__all__ = ["Child"]

Result = TypeVar("Result")

#: Imported once, so that a new process starts in a fraction of a second.
PRELOADED = [f"{__package__}.ours", f"{__package__}.monai_way"]
#: The contender that this process holds.
_HELD: list[Contender] = []


class Child:
    """A process that holds one contender; as a context manager it is ended with the block.

    Args:
        log: file of what the process says.
        make: makes the contender, in the process; without it the process only answers :meth:`call`.
        arguments: arguments of ``make``.

    Raises:
        ChildProcessError: the contender cannot be made, or (later, from a method) fails.
    """

    def __init__(self, log: Path, make: Callable[..., Contender] | None = None, *arguments: Any) -> None:
        self.log = log
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self.pool = ProcessPoolExecutor(1, context, initializer=_begin, initargs=(log,))
        if make is not None:
            self.call(_hold, make, *arguments)

    def run(self, steps: int) -> Round:
        """Let the contender do some steps."""
        return self.call(_run, steps)

    def count(self) -> Counted:
        """Let it do one step, and count bytes and operations."""
        return self.call(_count)

    def peak_mb(self) -> float:
        """Peak memory so far in 10**6 bytes: allocated on the GPU if one is used, else resident in the process."""
        return self.call(_peak_mb)

    def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Give ``function(*arguments)``, called in the process."""
        try:
            return self.pool.submit(_logged, function, *arguments).result()
        except (Exception, SystemExit) as error:
            self.__exit__()
            raise ChildProcessError(f"{str(error) or type(error).__name__}\nmore in {self.log}") from error

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *exception: object) -> None:
        self.pool.shutdown()


def _begin(log: Path) -> None:
    """Send all that this process says, C libraries included, to a file."""
    with log.open("w", encoding="utf-8") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())
    multiprocessing.set_start_method(None, force=True)  # a loader's workers start as they do in a process of a user's


def _logged(function: Callable[..., Result], *arguments: Any) -> Result:
    try:
        return function(*arguments)
    except BaseException:
        traceback.print_exc()
        raise


def _hold(make: Callable[..., Contender], *arguments: Any) -> None:
    _HELD[:] = [make(*arguments)]


def _run(steps: int) -> Round:
    return _HELD[0].run(steps)


def _count() -> Counted:
    with Counter() as counter:
        slices = _HELD[0].run(1).slices
    return counter.per_slice(slices)


def _peak_mb() -> float:
    if torch.cuda.is_initialized():
        return max(map(torch.cuda.max_memory_allocated, range(torch.cuda.device_count()))) / 1e6
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
