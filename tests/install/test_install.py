# SPDX-License-Identifier: Apache-2.0
"""The bundles in the environment of a host, and the wheel in one of its own, far from the checkout."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.helpers.container import copied, steps
from tests.install.conftest import BUNDLES, Environment

pytestmark = pytest.mark.install

OPTIONAL = ("tqdm", "scipy", "itk", "dcm2niix", "pydicom", "isal", "skimage", "pandas", "matplotlib")

THREE_LINES = """
import brain_mri_autoencoders as brain_ae
restored = brain_ae.restore({image!r}, device="cpu")
restored.to_filename({output!r})
"""

IMPORT_ALL = """
import importlib, pkgutil, sys
import brain_mri_autoencoders as package
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
assert "scripts" not in sys.modules
print(package.__version__)
"""

HELP_SECONDS = 1.0


def assert_same(folder: Path, expected: Path) -> None:
    """Every voxel and every table the same, not nearly: it is the same network on the same machine."""
    names = sorted(path.name for path in expected.iterdir() if path.name != "report.json")
    assert names == sorted(path.name for path in folder.iterdir() if path.name != "report.json")
    for name in names:
        if name.endswith(".json"):
            sidecars = [json.loads((place / name).read_text()) for place in (folder, expected)]
            assert sidecars[0].keys() == sidecars[1].keys()
        elif name.endswith(".csv"):
            assert (folder / name).read_text() == (expected / name).read_text()
        else:
            one, other = nib.load(folder / name), nib.load(expected / name)
            np.testing.assert_array_equal(one.get_fdata(), other.get_fdata())
            np.testing.assert_array_equal(one.affine, other.affine)


@pytest.mark.parametrize("name", BUNDLES)
def test_bundle_runs_with_nothing_but_what_it_requires(
    bare: Environment, built: Path, volumes: Path, expected: Path, tmp_path: Path, name: str
) -> None:
    present = f"import importlib.util as u; print([m for m in {OPTIONAL} if u.find_spec(m)])"
    assert bare.isolated("-c", present).stdout == "[]\n"
    places = ["--dataset_dir", volumes / BUNDLES[name][0], "--output_dir", tmp_path / "out", "--device", "cpu"]
    command = ["-m", "monai.bundle", "run", "inference", "--config_file", "configs/inference.json", *places]
    bare.run(*command, cwd=built / name)
    assert_same(tmp_path / "out", expected / name)


def test_installed_command_restores_as_the_checkout_does(
    installed: Environment, volumes: Path, expected: Path, tmp_path: Path
) -> None:
    done = installed.command("restore", volumes / "heads", tmp_path / "out", "--device", "cpu")
    assert "head_restored.nii.gz" in done.stdout
    assert_same(tmp_path / "out", expected / "brain_mri_restorer")


def test_three_lines_of_python_restore_a_head(
    installed: Environment, volumes: Path, expected: Path, tmp_path: Path
) -> None:
    output = tmp_path / "restored.nii.gz"
    installed.isolated("-c", THREE_LINES.format(image=str(volumes / "heads/head.nii.gz"), output=str(output)))
    one, other = nib.load(output), nib.load(expected / "brain_mri_restorer/head_restored.nii.gz")
    np.testing.assert_array_equal(one.get_fdata(), other.get_fdata())


def test_help_of_the_installed_command_is_quick(installed: Environment) -> None:
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        done = installed.command("--help")
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) < HELP_SECONDS
    assert "restore" in done.stdout
    assert "python -m scripts" not in done.stdout


def test_missing_extra_is_named(installed: Environment, tmp_path: Path) -> None:
    done = installed.command("latent", "traverse", "ventricle_area", "--output_dir", tmp_path, status=1)
    assert "'brain-mri-autoencoders[" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_module_imports_under_its_own_name(complete: Environment) -> None:
    assert complete.isolated("-W", "ignore", "-c", IMPORT_ALL).stdout.split()[-1] == "0.2.0"


def test_latent_space_of_the_installed_package(complete: Environment, tmp_path: Path) -> None:
    complete.command("latent", "traverse", "ventricle_area", "--output_dir", tmp_path)
    with next(tmp_path.glob("*.csv")).open() as file:
        assert "ventricle_area" in next(csv.reader(file))


def test_demo_of_the_installed_package(complete: Environment, tmp_path: Path) -> None:
    complete.command("demo", "report", tmp_path, "--max_epochs", "1", "--num_subjects", "6")
    assert (tmp_path / "report.html").stat().st_size > 100_000


def test_nothing_was_written_into_the_package(complete: Environment) -> None:
    (record,) = complete.site.glob("brain_mri_autoencoders-*.dist-info/RECORD")
    recorded = {line.partition(",")[0] for line in record.read_text().splitlines()}
    found = (complete.site / "brain_mri_autoencoders").rglob("*")
    files = {path.relative_to(complete.site).as_posix() for path in found if path.is_file() and path.suffix != ".pyc"}
    assert files - recorded == set()


@pytest.mark.slow
def test_the_steps_of_the_dockerfile_make_a_program_that_answers(tmp_path):
    """All but the base image, in an empty environment."""
    folder, venv = copied(tmp_path / "image"), tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    index = os.environ.get("TORCH_INDEX", "https://pypi.org/simple")
    variables = {**os.environ, "PATH": f"{venv}/bin:{os.environ['PATH']}", "TORCH_INDEX": index}
    for step in steps("RUN"):
        subprocess.run(["bash", "-ec", step], cwd=folder, env=variables, check=True)
    called = subprocess.run([f"{venv}/bin/brain-ae", "bids", "-v"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", called.stdout)
