# SPDX-License-Identifier: Apache-2.0
"""The public names: few, documented, with examples that assert, and imported only when they are used."""

from __future__ import annotations

import ast
import doctest
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import scripts
from tests.helpers.volume_files import write_nifti

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


def run(code: str, folder: Path, root: Path) -> str:
    """Standard output of a Python process in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, encoding="utf-8", check=True
    ).stdout


def first_lines(page: Path) -> str:
    """The lines that restore a first head, as a page of the documentation has them."""
    return page.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]


def test_the_package_is_imported_without_what_it_needs(root: Path, tmp_path: Path) -> None:
    heavy, seconds = json.loads(run(LIGHT, tmp_path, root))
    assert heavy == []
    assert seconds < 0.5  # measured 0.03


def test_three_lines_restore_a_head_and_print_nothing(root: Path, tmp_path: Path) -> None:
    lines = first_lines(root / "README.md")
    assert len(lines.splitlines()) == 3
    assert first_lines(root / "docs/getting-started.md") == lines
    given = nib.load(write_nifti(tmp_path / "head.nii.gz"))
    assert run(lines, tmp_path, root) == ""
    restored = nib.load(tmp_path / "restored.nii.gz")
    assert restored.shape == given.shape
    assert np.array_equal(restored.get_fdata(), given.get_fdata())  # a phantom is outside of the training


def test_what_is_imported_for_type_checkers_is_what_is_loaded() -> None:
    tree = ast.parse(Path(scripts.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
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


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*arguments: str) -> None:
        raise ModuleNotFoundError("No module named 'skimage'", name="skimage")

    monkeypatch.setattr(scripts, "import_module", missing)
    with pytest.raises(ImportError, match="the package scikit-image is missing: pip install scikit-image"):
        scripts.psnr  # noqa: B018


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
