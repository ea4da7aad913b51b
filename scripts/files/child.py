# SPDX-License-Identifier: Apache-2.0
"""Run a command in a process of its own, with its output in a log file."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["limit_memory", "log_end", "run_logged"]

LINES_SHOWN = 15


def run_logged(
    command: Sequence[str],
    log: Path,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    running: set[subprocess.Popen[Any]] | None = None,
) -> None:
    """Run a command and wait for its end; standard output and standard error go to a file.

    Args:
        command: program and arguments.
        log: file of the output, overwritten; its folder is created if it does not exist.
        folder: working directory of the command; by default that of this process.
        environment: variables that are set beside those of this process.
        running: holds the process while it runs, so that another thread can end it.

    Raises:
        ChildProcessError: the command ended with another status than 0; the message has the end of the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    processes = set() if running is None else running
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **(environment or {})}, stdout=file, stderr=subprocess.STDOUT
        )
        processes.add(process)
        try:
            status = process.wait()
        finally:
            processes.discard(process)
            process.terminate()  # this process was interrupted; it does nothing to a command that has ended
            process.wait()
    if status:
        raise ChildProcessError(f"{log.stem} ended with status {status}; the end of {log}:\n{log_end(log)}")


def limit_memory(process: int, size: int) -> None:
    """Let a running process have no more than so many bytes of address space; only Linux can do that.

    Args:
        process: its number.
        size: bytes.
    """
    with suppress(ImportError, AttributeError, OSError):  # another system, or the process has ended
        import resource

        resource.prlimit(process, resource.RLIMIT_AS, (size, size))


def log_end(log: Path, lines: int = LINES_SHOWN) -> str:
    """The last lines of a log, indented; of a progress bar only its last state.

    Args:
        log: file of the output of a command.
        lines: number of lines.
    """
    text = log.read_bytes().decode(errors="replace")  # reading it as text would make lines of a bar's states
    shown = [line.rstrip().rsplit("\r", 1)[-1] for line in text.split("\n")]
    return "\n".join(f"    {line}" for line in [line for line in shown if line.strip()][-lines:])
