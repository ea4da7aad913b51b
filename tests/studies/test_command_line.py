# SPDX-License-Identifier: Apache-2.0
"""Help and unknown options of the commands."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from scripts.studies.command_line import run_command, switch, whole_numbers


def closed(width: int = 1) -> None:
    """A command of one option."""
    sys.stdout.write(f"ran {width}\n")


def with_overrides(width: int = 1, **overrides: Any) -> None:
    """A command that takes any option."""
    sys.stdout.write(f"ran {width} {overrides}\n")


@pytest.mark.parametrize("command", [closed, with_overrides])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_explains_and_does_no_work(command, flag, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["command", flag])
    monkeypatch.setenv("PAGER", "cat")
    with pytest.raises(SystemExit) as end:
        run_command(command, "command")
    printed = capsys.readouterr()
    assert end.value.code in (0, None)
    assert "ran" not in printed.out
    assert "--width" in printed.out + printed.err


def test_an_unknown_option_is_refused_before_the_work(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["command", "--widht", "3"])
    with pytest.raises(SystemExit) as end:
        run_command(closed, "command")
    printed = capsys.readouterr()
    assert end.value.code == 2
    assert printed.err == "error: there is no option --widht. Did you mean --width?\n"
    assert printed.out == ""


def test_a_command_with_overrides_gets_them(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["command", "--batch_size", "8"])
    with pytest.raises(SystemExit) as end:
        run_command(with_overrides, "command")
    assert end.value.code == 0
    assert capsys.readouterr().out == "ran 1 {'batch_size': 8}\n"


def failing(width: int = 1) -> None:
    """A command that the user gave something impossible."""
    raise FileNotFoundError(f"there is no file of width {width}")


def test_an_error_of_the_user_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["command", "--width", "3"])
    with pytest.raises(SystemExit) as end:
        run_command(failing, "command")
    assert end.value.code == 1
    assert capsys.readouterr().err == "error: there is no file of width 3\n"


def test_values_of_options():
    assert whole_numbers("seeds", (2, 0, 2), 0) == [2, 0]
    assert whole_numbers("seeds", 3, 1) == [3]
    for given in ("a", 1.5, True, (), (1, 0)):
        with pytest.raises(ValueError, match=r"--seeds must be whole numbers, at least 1, got .*Example: --seeds 1"):
            whole_numbers("seeds", given, 1)
    assert [switch("quick", given) for given in (True, "true", "False")] == [True, True, False]
    with pytest.raises(ValueError, match="--quick must be true or false, got 'yes'"):
        switch("quick", "yes")
