# SPDX-License-Identifier: Apache-2.0
"""Commands in processes of their own."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from scripts.files.child import log_end, run_logged


def test_output_goes_to_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    code = "import os, sys; print(os.environ['WORD'], os.getcwd()); print('oops', file=sys.stderr)"
    log = tmp_path / "logs" / "one.log"
    run_logged([sys.executable, "-c", code], log, folder=tmp_path, environment={"WORD": "hello"})
    assert set(log.read_text().splitlines()) == {f"hello {tmp_path}", "oops"}
    assert capfd.readouterr() == ("", "")


def test_a_failure_shows_the_end_of_the_log(tmp_path: Path):
    code = "import sys; [print('line', n) for n in range(30)]; sys.exit('\\r 10 %\\r 90 %\\nerror: no such head')"
    with pytest.raises(ChildProcessError, match=r"one ended with status 1; the end of .*one\.log") as error:
        run_logged([sys.executable, "-u", "-c", code], tmp_path / "one.log")
    shown = str(error.value).splitlines()[1:]
    assert shown[-2:] == ["     90 %", "    error: no such head"]
    assert shown[0] == "    line 17"


def test_the_log_is_that_of_the_last_run(tmp_path: Path):
    for word in ("first", "second"):
        run_logged([sys.executable, "-c", f"print('{word}')"], tmp_path / "one.log")
    assert log_end(tmp_path / "one.log") == "    second"


def test_another_thread_can_end_a_command(tmp_path: Path):
    running: set[subprocess.Popen[bytes]] = set()

    def end() -> None:
        while not running:
            time.sleep(0.01)
        next(iter(running)).terminate()

    thread = threading.Thread(target=end)
    thread.start()
    with pytest.raises(ChildProcessError, match="ended with status -15"):
        run_logged([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "one.log", running=running)
    thread.join()
    assert not running
