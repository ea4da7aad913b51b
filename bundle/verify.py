# SPDX-License-Identifier: Apache-2.0
"""Check built bundles as the MONAI model zoo does before it accepts one, and that they need nothing of the repository.

    python bundle/verify.py                                 # every bundle in dist/
    python bundle/verify.py dist/brain_mri_autoencoder

The checks follow ``ci/verify_bundle.py`` of https://github.com/Project-MONAI/model-zoo and its unit tests: necessary
files, version in the changelog, metadata against its schema (a copy lies beside this file, so no network is needed),
input and output of the network, export to TorchScript, properties and a run of each workflow, and that every package
the code imports is declared. They run on a copy, in a folder where only the bundle's own ``scripts`` can be imported.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import fire
import nibabel as nib
import numpy as np
import torch
from monai.bundle import ConfigParser, ConfigWorkflow, ckpt_export, verify_metadata, verify_net_in_out

__all__ = ["verify"]

ROOT = Path(__file__).resolve().parent.parent

NECESSARY_FILES = (
    "LICENSE",
    "configs/inference.json",
    "configs/logging.conf",
    "configs/metadata.json",
    "configs/train.json",
    "docs/README.md",
    "docs/data_license.txt",
    "models/model.pt",
)

MAX_FILE_MB = 25
"""The zoo takes no larger file into its repository."""


def verify(*folders: str) -> list[str]:
    """Check bundles; the first failure ends the run with a message.

    Args:
        folders: bundles to check; every folder of ``dist/`` by default.

    Returns:
        One line for each bundle.

    Raises:
        FileNotFoundError: there is no bundle to check, or a necessary file is missing.
        ValueError: a check failed.
    """
    bundles = [Path(folder) for folder in folders] or sorted(path for path in Path("dist").glob("*") if path.is_dir())
    if not bundles:
        raise FileNotFoundError("dist/ has no bundle; run python bundle/build.py first.")
    if len(bundles) > 1:  # a process each: two bundles both call their package `scripts`
        for bundle in bundles:
            subprocess.run([sys.executable, __file__, str(bundle)], check=True)
        return []
    return [_verify_one(bundles[0])]


def _verify_one(folder: Path) -> str:
    """Run every check on a copy of one bundle."""
    check_files(folder)
    with tempfile.TemporaryDirectory() as work:
        bundle = Path(shutil.copytree(folder, Path(work) / folder.name))
        os.chdir(bundle)
        sys.path.insert(0, str(bundle))
        check_metadata(bundle)
        check_requirements(bundle)
        check_network(bundle)
        check_workflows(bundle, make_cohort(Path(work) / "cohort"))
        os.chdir(ROOT)  # the copy disappears
    return f"{folder.name}: files, metadata, requirements, network, TorchScript, training and inference verified"


def check_files(bundle: Path) -> None:
    """Necessary files are there and none is too large."""
    for name in NECESSARY_FILES:
        if not (bundle / name).is_file():
            raise FileNotFoundError(f"{bundle.name}: necessary file {name} is missing.")
    for path in bundle.rglob("*"):
        if path.stat().st_size > MAX_FILE_MB * 2**20:
            raise ValueError(
                f"{bundle.name}: {path.relative_to(bundle)} is over {MAX_FILE_MB} MB; use large_files.yml."
            )


def check_metadata(bundle: Path) -> None:
    """The version is in the changelog and the metadata fits its schema."""
    metadata_file = bundle / "configs/metadata.json"
    metadata = json.loads(metadata_file.read_text(encoding="utf-8"))
    if metadata["version"] not in metadata["changelog"]:
        raise ValueError(f"{bundle.name}: version {metadata['version']} is not in the changelog of metadata.json.")
    schema = bundle / "eval/schema.json"  # where the zoo, and MONAI, look before they download it
    schema.parent.mkdir()
    shutil.copyfile(ROOT / "bundle" / metadata["schema"].rsplit("/", 1)[-1], schema)
    verify_metadata(meta_file=str(metadata_file), filepath=str(schema))


def check_requirements(bundle: Path) -> None:
    """Every package that the code imports is declared in the metadata (the zoo installs those and no others)."""
    metadata = json.loads((bundle / "configs/metadata.json").read_text(encoding="utf-8"))
    declared = {name.lower() for name in metadata["required_packages_version"]} | {"monai", "torch", "numpy"}
    distributions = packages_distributions()
    for module in sorted(_imported_modules(bundle / "scripts") - set(sys.stdlib_module_names)):
        packages = {name.lower() for name in distributions.get(module, [])} | {module}  # itk has parts of other names
        if not packages & declared:
            raise ValueError(
                f"{bundle.name}: scripts import {module}; add its package to required_packages_version in metadata."
            )


def _imported_modules(package: Path) -> set[str]:
    """Top-level names of all absolute imports in a package."""
    modules = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                modules.add(node.module.split(".")[0])
    return modules


def check_network(bundle: Path) -> None:
    """The network has the shapes that the metadata states, takes the weights, and exports to an equal TorchScript."""
    files: dict[str, Any] = {"meta_file": "configs/metadata.json", "config_file": "configs/inference.json"}
    verify_net_in_out(net_id="network_def", bundle_root=str(bundle), **files)
    parser = ConfigParser()
    parser.read_config("configs/inference.json")
    network = parser.get_parsed_content("network_def").eval()
    module = sys.modules[type(network).__module__]
    if not Path(str(module.__file__)).resolve().is_relative_to(bundle.resolve()):
        raise ValueError(f"{bundle.name}: the network comes from {module.__file__}, outside the bundle.")
    weights = torch.load("models/model.pt", weights_only=True, map_location="cpu")
    network.load_state_dict(weights)  # strict: a flat dictionary, nothing missing, nothing left over
    ckpt_export(
        net_id="network_def",
        filepath="models/verify_model.ts",
        ckpt_file="models/model.pt",
        bundle_root=str(bundle),
        **files,
    )
    exported = torch.jit.load("models/verify_model.ts", map_location="cpu").eval()
    image = torch.rand(2, 1, 40, 56, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(exported(image), network(image))  # same operations: default tolerances


def check_workflows(bundle: Path, dataset_dir: Path) -> None:
    """Both workflows have every property that MONAI defines, and run: an epoch of training, three heads restored."""
    settings: dict[str, dict[str, Any]] = {
        "train": {"dataset_dir": str(dataset_dir), "max_epochs": 1},
        "inference": {"dataset_dir": str(dataset_dir / "heads")},
    }
    for workflow_type, setting in settings.items():
        workflow = ConfigWorkflow(
            config_file=f"configs/{workflow_type}.json",
            workflow_type=workflow_type,
            logging_file=False,
            output_dir=str(bundle / f"eval/{workflow_type}"),
            device="cpu",
            **setting,
        )
        workflow.initialize()
        missing = workflow.check_properties()
        if missing:
            raise ValueError(
                f"{bundle.name}: the {workflow_type} workflow lacks {missing} (MONAI's bundle properties)."
            )
        workflow.run()
        workflow.finalize()


def make_cohort(folder: Path) -> Path:
    """Three small heads of noise in a ball, described by a ``dataset.json``: enough for a workflow to start."""
    (folder / "heads").mkdir(parents=True)
    rng = np.random.default_rng(0)
    ball = np.linalg.norm(np.indices((40, 36, 20)).T - np.array([19.5, 17.5, 9.5]), axis=-1).T < 16
    cohort: dict[str, object] = {"name": "noise", "plane": "sagittal", "seed": 0}
    for part in ("training", "validation", "test"):
        volume = (ball * rng.uniform(50, 200, ball.shape)).astype(np.float32)
        nib.save(nib.Nifti1Image(volume, np.diag([2.0, 2.0, 2.0, 1.0])), folder / f"heads/{part}.nii.gz")
        cohort[part] = [{"image": f"heads/{part}.nii.gz", "subject": part, "slices": [16, 17, 18]}]
    (folder / "dataset.json").write_text(json.dumps(cohort), encoding="utf-8")
    return folder


if __name__ == "__main__":
    try:
        fire.Fire(verify)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(f"error: {error}") from error
