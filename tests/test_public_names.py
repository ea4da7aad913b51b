# SPDX-License-Identifier: Apache-2.0
"""The public names: few, documented, with examples that assert, and imported only when they are used."""

from __future__ import annotations

import ast
import doctest
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import scripts

NAMES = sorted(set(scripts.__all__) - {"__version__"})
FUNCTIONS = [name for name in NAMES if inspect.isfunction(getattr(scripts, name))]

LIGHT = """
import json, sys, time
begin = time.perf_counter()
import scripts
seconds = time.perf_counter() - begin
heavy = {"torch", "monai", "numpy", "nibabel"} & set(sys.modules)
print(json.dumps([sorted(heavy), seconds]))
"""

LINES = """
import scripts as brain_ae
restored = brain_ae.restore(FILE, device="cpu")
restored.to_filename(RESULT)
"""


def run(code: str, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, encoding="utf-8", check=True)


def test_the_package_is_imported_without_what_it_needs(root: Path) -> None:
    heavy, seconds = json.loads(run(LIGHT, root).stdout)
    assert heavy == []
    assert seconds < 0.5  # measured 0.03


def test_three_lines_restore_a_head_and_say_nothing(root: Path, tmp_path: Path) -> None:
    from tests.helpers.volume_files import write_nifti

    path = write_nifti(tmp_path / "head.nii.gz")
    done = run(LINES.replace("FILE", repr(str(path))).replace("RESULT", repr(str(tmp_path / "r.nii.gz"))), root)
    assert (tmp_path / "r.nii.gz").is_file()
    assert done.stdout == ""


def test_what_is_imported_for_type_checkers_is_what_is_loaded() -> None:
    tree = ast.parse(Path(scripts.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    typed = {
        alias.name: f"{scripts.__name__}.{node.module}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(typed) == NAMES
    assert {name: getattr(scripts, name).__module__ for name in NAMES} == typed


def test_names_are_listed_and_others_are_unknown() -> None:
    assert set(scripts.__all__) <= set(dir(scripts))
    assert 8 <= len(NAMES) <= 12
    with pytest.raises(AttributeError, match="has no attribute 'restor'"):
        scripts.restor  # noqa: B018


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_documented(name: str) -> None:
    thing = getattr(scripts, name)
    text = inspect.getdoc(thing) or ""
    assert text.splitlines()[0].endswith(".")
    if name in FUNCTIONS:
        arguments = list(inspect.signature(thing).parameters)
        assert [argument for argument in arguments if f"\n    {argument}:" not in text.replace("**", "")] == []
        assert "Returns:" in text
    if name != "SliceCodes":  # what encode returns, shown there
        assert "Raises:" in text
        examples = doctest.DocTestParser().get_examples(text)
        assert any(character.isdigit() for example in examples for character in example.want), "no figure is asserted"


def test_the_examples_are_tests(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.getoption("doctestmodules")
    assert "scripts" in pytestconfig.getini("testpaths")
