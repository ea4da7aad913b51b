# SPDX-License-Identifier: Apache-2.0
"""Environments that hold what a bundle, or the wheel, asks for, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bundle import build as builder
from scripts.data.demo.head import make_head
from tests.helpers.wheel import build_wheel

TORCH = "torch==2.13.0"

HIDDEN = """
import sys

def refuse(event, arguments, root={root!r}):
    if event in ("open", "os.listdir", "os.scandir") and str(arguments[0]).startswith(root):
        raise PermissionError(f"the checkout is out of sight: {{arguments[0]}}")

sys.addaudithook(refuse)
"""

BUNDLES = {
    "brain_mri_restorer": ("heads", ("configs/inference.yaml",)),
    "vae": ("heads", ("configs/inference_latent.yaml",)),
    "ar_vae": ("masks", ("configs/inference_latent.yaml", "configs/inference_latent_masks.yaml")),
}
"""Name of a published bundle, the folder of volumes that it is tried on, and the configs of its inference."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment in which no file of the checkout can be opened."""

    folder: Path

    @property
    def site(self) -> Path:
        return next(self.folder.glob("lib/python*/site-packages"))

    def run(self, *command: str | Path, cwd: Path | str = "/", status: int = 0) -> subprocess.CompletedProcess[str]:
        """Run Python; where it does not end with ``status``, show what it wrote."""
        arguments = [str(self.folder / "bin/python"), *map(str, command)]
        variables = {**clean_environment(), "XDG_CACHE_HOME": str(self.folder / "cache"), "CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(arguments, cwd=cwd, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout[-1000:] + done.stderr[-3000:]
        return done

    def isolated(self, *command: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Run ``python -I`` from ``/``."""
        return self.run("-I", *command, status=status)

    def command(self, *words: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Run ``brain-ae``."""
        return self.isolated(self.folder / "bin/brain-ae", *words, status=status)


def clean_environment() -> dict[str, str]:
    """The environment variables without those of Python."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def make_environment(folder: Path, root: Path, packages: list[str], below: Environment | None = None) -> Environment:
    """A new environment; it sees the packages of the one below it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    environment = Environment(folder)
    if below is not None:
        (environment.site / "below.pth").write_text(f"{below.site}\n")
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python"), "install", "--quiet"]
    subprocess.run([*pip, *packages], check=True, env=clean_environment())
    (environment.site / "hidden.py").write_text(HIDDEN.format(root=f"{root}{os.sep}"))
    (environment.site / "hidden.pth").write_text("import hidden\n")
    return environment


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of all built bundles."""
    folder = tmp_path_factory.mktemp("dist")
    builder.build(output_dir=str(folder))
    return folder


@pytest.fixture(scope="session")
def bare(built: Path, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """PyTorch and what these bundles require, in the versions that their metadata name."""
    (required,) = {json.dumps(_versions(built / name)) for name in BUNDLES}
    pins = [f"{name}=={version}" for name, version in json.loads(required).items()]
    assert TORCH in pins
    return make_environment(tmp_path_factory.mktemp("bare") / "venv", root, pins)


def _versions(bundle: Path) -> dict[str, str]:
    metadata = json.loads((bundle / "configs/metadata.json").read_text())
    frameworks = {"torch": "pytorch_version", "monai": "monai_version", "numpy": "numpy_version"}
    return {name: metadata[key] for name, key in frameworks.items()} | metadata["required_packages_version"]


@pytest.fixture(scope="session")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(root, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installed(wheel: Path, bare: Environment, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel and what it asks for."""
    return make_environment(tmp_path_factory.mktemp("installed") / "venv", root, [str(wheel)], bare)


@pytest.fixture(scope="session")
def complete(wheel: Path, bare: Environment, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel with all its extras."""
    return make_environment(tmp_path_factory.mktemp("complete") / "venv", root, [f"{wheel}[all]"], bare)


@pytest.fixture(scope="session")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders ``heads``, of a damaged head and of one without skull, whose zeros are no damage, and ``masks``."""
    folder = tmp_path_factory.mktemp("volumes")
    head = make_head(seed=7)
    damaged = head.image * (np.random.default_rng(7).random(head.image.shape) > 0.04)
    for name, image in (
        ("heads/head", 900.0 * damaged),
        ("heads/brain", 900.0 * head.image * (head.label > 0)),
        ("masks/mask", head.label),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(image.astype(np.float32), head.affine), folder / f"{name}.nii.gz")
    return folder


@pytest.fixture(scope="session")
def expected(volumes: Path, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the checkout makes of these volumes, a folder for each bundle."""
    folder = tmp_path_factory.mktemp("expected")
    for name, (kind, files) in BUNDLES.items():
        command = [sys.executable, "-m", "monai.bundle", "run", "inference", "--config_file", str(list(files))]
        places = ["--dataset_dir", str(volumes / kind), "--output_dir", str(folder / name), "--device", "cpu"]
        subprocess.run([*command, *places], cwd=root, check=True, capture_output=True)
    return folder
