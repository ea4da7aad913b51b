# SPDX-License-Identifier: Apache-2.0
"""Help and unknown options of the commands."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from scripts.studies.command_line import run_command


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
        run_command(command, "python -m scripts.command")
    printed = capsys.readouterr()
    assert end.value.code in (0, None)
    assert "ran" not in printed.out
    assert "--width" in printed.out + printed.err


def test_an_unknown_option_is_refused_before_the_work(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["command", "--widht", "3"])
    with pytest.raises(SystemExit, match=r"there is no option --widht\. Did you mean --width\?"):
        run_command(closed, "python -m scripts.command")
    assert "ran" not in capsys.readouterr().out


def test_a_command_with_overrides_gets_them(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["command", "--batch_size", "8"])
    run_command(with_overrides, "python -m scripts.command")
    assert capsys.readouterr().out == "ran 1 {'batch_size': 8}\n"
