# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import logging
import sys
import types
from importlib.machinery import ModuleSpec

import pytest
from monai.bundle import ConfigParser

import scripts
from scripts.files.errors import one_line, shorten_errors, suggestion, unwrapped

SOURCE = """
import json

def on_purpose(width):
    raise ValueError(
        f"width must be positive, got {width}."
    )

def of_a_type(width):
    raise TypeError("width must be a number.") from KeyError("of no interest")

def no_file(width):
    return open(f"/nowhere/{width}")

def no_module(width):
    import scripts.no_such_module

def operand(width):
    return width + "mm"

def library(width):
    return json.loads("x")

def key(width):
    return {}[width]

def assertion(width):
    assert width > 0

def runtime(width):
    raise RuntimeError("a bug")
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """``scripts.module``, a module of this package whose functions fail in all ways."""
    made = types.ModuleType("scripts.module")
    (tmp_path / "module.py").write_text(SOURCE)
    exec(compile(SOURCE, tmp_path / "module.py", "exec"), made.__dict__)
    monkeypatch.setitem(sys.modules, "scripts.module", made)
    monkeypatch.setattr(scripts, "module", made, raising=False)
    return made


def failure(content: object) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011
        ConfigParser({"part": content, "whole": ["@part"]}).get_parsed_content("whole")
    return caught.value


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"_target_": "scripts.module.on_purpose", "width": -1}, "error: width must be positive, got -1."),
        ("$scripts.module.on_purpose(-1)", "error: width must be positive, got -1."),
        ("$scripts.module.of_a_type('x')", "error: width must be a number."),
        ("$scripts.module.no_file(3)", "error: [Errno 2] No such file or directory: '/nowhere/3'"),
        ({"_target_": "torch.nn.PReLU", "w": 1}, "error: PReLU.__init__() got an unexpected keyword argument 'w'"),
        ({"_target_": "torch.nn.Dropout", "p": 2}, "error: dropout probability has to be between 0 and 1, but got 2"),
        ({"_target_": "scripts.losses.Lost"}, "error: Cannot locate class or function path: 'scripts.losses.Lost'."),
    ],
)  # fmt: skip
def test_a_mistake_of_the_user_is_one_line(module, content, line):
    assert (
        one_line(failure({"a": content, "scripts": "$import scripts"} if isinstance(content, str) else content)) == line
    )


@pytest.mark.parametrize("name", ["no_module", "operand", "library", "key", "assertion", "runtime"])
def test_a_fault_of_the_code_keeps_its_traceback(module, name):
    assert one_line(failure({"_target_": f"scripts.module.{name}", "width": -1})) is None


def test_a_failing_import_of_the_config_is_named():
    parser = ConfigParser({"imports": ["$import no_such_package"], "a": "$no_such_package.number"})
    with pytest.raises(Exception, match="Failed to evaluate") as caught:
        parser.get_parsed_content("a")
    line = str(one_line(caught.value))
    assert line.startswith("error: import no_such_package (No module named 'no_such_package').\n")


def test_unwrapped_is_what_the_part_raised(module):
    error = failure({"_target_": "scripts.module.of_a_type", "width": 1})
    assert isinstance(error, RuntimeError)
    assert isinstance(unwrapped(error), TypeError)  # and not the KeyError behind it


def test_any_other_program_sees_the_exception(monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    shorten_errors()
    assert sys.excepthook is sys.__excepthook__


def test_monais_runner_shows_one_line_or_a_traceback(module, monkeypatch, capsys):
    log = logging.StreamHandler(io.StringIO())
    monkeypatch.setattr(logging.getLogger(), "handlers", [log])
    monkeypatch.setattr(logging, "lastResort", None)
    for name, value in {"disabled": False, "propagate": True, "level": logging.ERROR}.items():
        monkeypatch.setattr(logging.getLogger("ignite.engine"), name, value)  # as before any logging.conf was read
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", ModuleSpec("monai.bundle.__main__", None))
    shorten_errors()
    for name in ("on_purpose", "key"):
        error = failure({"_target_": f"scripts.module.{name}", "width": -1})
        sys.excepthook(type(error), error, error.__traceback__)
        logging.getLogger("ignite.engine").error(f"Engine run is terminating due to exception: {error}")
    logging.getLogger("ignite.engine").error("Something else.")
    line, *shown = capsys.readouterr().err.splitlines()
    assert line == "error: width must be positive, got -1."
    assert shown[0].startswith("Traceback")
    assert "KeyError: -1" in shown
    assert log.stream.getvalue() == "Something else.\n"


def test_an_unknown_name_is_answered_with_the_nearest_or_all():
    assert suggestion("hole", ("blur", "holes")) == "did you mean holes?"
    assert suggestion("xyz", iter(("blur", "holes"))) == "choose from blur, holes."
