# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import http.client
import re
import subprocess
import sys
import threading

import pytest

from scripts.__main__ import main


def test_the_address_is_printed_and_answers(root, tmp_path):
    (tmp_path / "page").mkdir()
    (tmp_path / "page/index.html").write_text("the page")
    command = [sys.executable, "-m", "scripts", "view", str(tmp_path), "--page", str(tmp_path / "page")]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        stop = threading.Timer(60, process.kill)  # a failure below must not wait for ever
        stop.start()
        port = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\n", process.stdout.readline())[1]
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"the page"
        process.terminate()
        assert process.wait(30) == 143
        assert process.stderr.read().strip() == "terminated"
        stop.cancel()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--page", "nowhere"), "there is no page in nowhere: make web"),
        (("--port", "70000"), "port must be from 0 to 65535, got 70000."),
        (("--port", "some"), "--port: must be a whole number, got 'some'"),
    ],
)
def test_wrong_arguments_are_one_line(tmp_path, capsys, words, message):
    (tmp_path / "index.html").touch()
    assert main(["view", str(tmp_path), "--page", str(tmp_path), *words]) == 2
    assert message in capsys.readouterr().err
