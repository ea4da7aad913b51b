# SPDX-License-Identifier: Apache-2.0
"""Each contender in a process of its own: they can take turns, and each has its own peak memory.

A contender may also live in another Python, TensorFlow's; it answers the same questions over the same kind of pipe.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, TypeVar

import torch

from .contenders import Contender, Round
from .counter import Counted, Counter

__all__ = ["Child", "call_in_child"]

Result = TypeVar("Result")

#: Imported once, so that a new process starts in a fraction of a second.
PRELOADED = [f"{__package__}.ours", f"{__package__}.monai_way"]
SECONDS_TO_END = 10.0


class Child:
    """A process that holds one contender; as a context manager it is ended with the block.

    Each question, such as ``("run", 3)``, is answered by ``(True, result)`` or ``(False, message)``; the first answer
    comes unasked, when the contender is ready.

    Args:
        target: called in the process as ``target(connection, log, *arguments)``.
        log: file of what the process says.
        arguments: what else ``target`` is given.

    Raises:
        ChildProcessError: the contender cannot be made, or (later, from a question) fails.
    """

    def __init__(self, target: Callable[..., None], log: Path, *arguments: Any) -> None:
        self.log = log
        self.connection, there = _context().Pipe()
        self.process = _context().Process(target=target, args=(there, log, *arguments))
        self.process.start()
        there.close()

    @classmethod
    def fork(cls, log: Path, make: Callable[..., Contender], *arguments: Any) -> Child:
        """Hold ``make(*arguments)``."""
        child = cls(_serve, log, make, *arguments)
        child._answer()
        return child

    @classmethod
    def execute(cls, log: Path, command: Sequence[str], *arguments: Any) -> Child:
        """Become a program, whose last argument is its end of the pipe, a file descriptor; send it ``arguments``."""
        child = cls(_become, log, command)
        child.connection.send(arguments)
        child._answer()
        return child

    def run(self, steps: int) -> Round:
        """Let the contender do some steps."""
        return Round(*self._ask("run", steps))

    def count(self) -> Counted:
        """Let it do one step, and count bytes and operations."""
        return self._ask("count")

    def peak_mb(self) -> float:
        """Peak memory so far in 10**6 bytes: allocated on the GPU if one is used, else resident in the process."""
        return self._ask("peak_mb")

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *exception: object) -> None:
        self.connection.close()
        self.process.join(SECONDS_TO_END)
        self.process.terminate()

    def _ask(self, command: str, *values: Any) -> Any:
        self.connection.send((command, *values))
        return self._answer()

    def _answer(self) -> Any:
        try:
            done, result = self.connection.recv()
        except (EOFError, ConnectionError):
            done, result = False, "the process ended"
        if not done:
            self.__exit__()
            raise ChildProcessError(f"{result}\nmore in {self.log}")
        return result


def call_in_child(log: Path, function: Callable[..., Result], *arguments: Any) -> Result:
    """Give ``function(*arguments)``, called in a process of its own."""
    with ProcessPoolExecutor(1, _context(), initializer=_write_to, initargs=(log,)) as pool:
        return pool.submit(function, *arguments).result()


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _write_to(log: Path) -> None:
    """Send all that this process says, C libraries included, to a file."""
    with log.open("w", encoding="utf-8") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())


def _serve(connection: Connection, log: Path, make: Callable[..., Contender], *arguments: Any) -> None:
    """Make a contender and answer questions about it until the other end is closed."""
    _write_to(log)
    multiprocessing.set_start_method(None, force=True)  # a loader's workers start as they do in a process of a user's
    try:
        contender = make(*arguments)
        connection.send((True, None))
        while True:
            command, *values = connection.recv()
            connection.send((True, _COMMANDS[command](contender, *values)))
    except EOFError:
        pass
    except BaseException as error:
        traceback.print_exc()
        connection.send((False, str(error) or type(error).__name__))


def _become(connection: Connection, log: Path, command: Sequence[str]) -> None:
    """Replace this process by a program that inherits the connection."""
    _write_to(log)
    os.set_inheritable(connection.fileno(), True)
    os.execv(command[0], [*command, str(connection.fileno())])


def _run(contender: Contender, steps: int) -> tuple[int, float, float]:
    round_ = contender.run(steps)
    return round_.slices, round_.seconds, round_.wait_seconds


def _count(contender: Contender) -> Counted:
    with Counter() as counter:
        slices = contender.run(1).slices
    return counter.per_slice(slices)


def _peak_mb(contender: Contender) -> float:
    if torch.cuda.is_initialized():
        return max(map(torch.cuda.max_memory_allocated, range(torch.cuda.device_count()))) / 1e6
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


_COMMANDS: dict[str, Callable[..., Any]] = {"run": _run, "count": _count, "peak_mb": _peak_mb}
