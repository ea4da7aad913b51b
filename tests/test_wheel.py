# SPDX-License-Identifier: Apache-2.0
"""The wheel holds the package under the name ``brain_mri_ae``, complete and independent of the checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

IMPORT_ALL = """
import importlib, pkgutil, sys
import brain_mri_ae
for module in pkgutil.walk_packages(brain_mri_ae.__path__, "brain_mri_ae."):
    importlib.import_module(module.name)
assert "scripts" not in sys.modules
print(brain_mri_ae.__version__)
"""


@pytest.mark.slow
def test_every_module_of_the_wheel_imports_under_its_own_name(root: Path, tmp_path: Path):
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(root)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    command = [sys.executable, "-W", "ignore", "-c", IMPORT_ALL]
    done = subprocess.run(command, cwd=tmp_path / "site", capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "0.1.0"
