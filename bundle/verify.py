# SPDX-License-Identifier: Apache-2.0
"""Check built bundles as the MONAI model zoo does before it accepts one, and that they need nothing of the repository.

    python bundle/verify.py                                 # every bundle in dist/
    python bundle/verify.py dist/brain_mri_autoencoder

The checks follow ``ci/verify_bundle.py`` of https://github.com/Project-MONAI/model-zoo and its unit tests: necessary
files, version in the changelog, metadata against its schema (a copy lies beside this file, so no network is needed),
input and output of the network, export to TorchScript, properties and a run of each workflow, and that every package
the code imports is declared. They run on a copy, in a folder where only the bundle's own ``scripts`` can be imported,
the inference with the optional packages out of reach.
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
    metadata_file, metadata = bundle / "configs/metadata.json", _metadata(bundle)
    if metadata["version"] not in metadata["changelog"]:
        raise ValueError(f"{bundle.name}: version {metadata['version']} is not in the changelog of metadata.json.")
    schema = bundle / "eval/schema.json"  # where the zoo, and MONAI, look before they download it
    schema.parent.mkdir()
    shutil.copyfile(ROOT / "bundle" / metadata["schema"].rsplit("/", 1)[-1], schema)
    verify_metadata(meta_file=str(metadata_file), filepath=str(schema))


def check_requirements(bundle: Path) -> None:
    """Every package that the code imports is declared in the metadata; the zoo installs those that are required."""
    metadata = _metadata(bundle)
    declared = {*metadata["required_packages_version"], *metadata["optional_packages"], "monai", "torch", "numpy"}
    for module in sorted(_imported_modules(bundle / "scripts") - set(sys.stdlib_module_names)):
        if not _packages(module) & {name.lower() for name in declared}:
            raise ValueError(
                f"{bundle.name}: scripts import {module}; add its package to required_packages_version in metadata, or "
                "to optional_packages if inference does without it."
            )


def _metadata(bundle: Path) -> dict[str, Any]:
    metadata: dict[str, Any] = json.loads((bundle / "configs/metadata.json").read_text(encoding="utf-8"))
    return metadata


def _packages(module: str) -> set[str]:
    """Names of the packages that hold a module, and its own: parts of itk have other names."""
    return {name.lower() for name in packages_distributions().get(module, [])} | {module}


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
    """The network has the shapes of the metadata, takes the weights, and exports to TorchScript, if it is said to."""
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
    if not _metadata(bundle).get("torchscript", True):
        return  # its control flow depends on the data
    ckpt_export(
        net_id="network_def",
        filepath="models/verify_model.ts",
        ckpt_file="models/model.pt",
        bundle_root=str(bundle),
        **files,
    )
    exported = torch.jit.load("models/verify_model.ts", map_location="cpu").eval()
    given = _metadata(bundle)["network_data_format"]["inputs"]["image"]
    sizes = [size if isinstance(size, int) else 40 + 16 * axis for axis, size in enumerate(given["spatial_shape"])]
    image = torch.rand(2, given["num_channels"], *sizes, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(exported(image), network(image))  # same operations: default tolerances


def check_workflows(bundle: Path, dataset_dir: Path) -> None:
    """Both workflows have every property that MONAI defines, and run: an epoch of training, three volumes."""
    masks = _metadata(bundle)["network_data_format"]["inputs"]["image"]["format"] == "segmentation"
    volumes = {
        "dataset_dir": str(dataset_dir / ("labels" if masks else "heads")),
        "output_dir": str(bundle / "eval/out"),
    }
    settings: dict[str, dict[str, Any]] = {
        "train": {"dataset_dir": str(dataset_dir), "output_dir": str(bundle / "eval/train"), "max_epochs": 1},
        "inference": volumes,
    }
    for workflow_type, setting in settings.items():
        workflow = ConfigWorkflow(
            config_file=f"configs/{workflow_type}.json",
            workflow_type=workflow_type,
            logging_file=False,
            device="cpu",
            **setting,
        )
        workflow.initialize()
        missing = workflow.check_properties()
        if missing:
            raise ValueError(
                f"{bundle.name}: the {workflow_type} workflow lacks {missing} (MONAI's bundle properties)."
            )
        if workflow_type == "train":
            workflow.run()
            workflow.finalize()
    check_inference(bundle, volumes)


def check_inference(bundle: Path, volumes: dict[str, str]) -> None:
    """Inference runs where the optional packages are not installed."""
    optional = set(_metadata(bundle)["optional_packages"])
    hidden = [module for module in packages_distributions() if _packages(module) & optional]
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({hidden})); import monai.bundle; "
        f"monai.bundle.run('inference', config_file='configs/inference.json', device='cpu', **{volumes})"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=bundle, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"{bundle.name}: inference fails without its optional packages:\n{done.stderr[-2000:]}")


def make_cohort(folder: Path) -> Path:
    """Three small heads of noise in a ball and their region labels, described by a ``dataset.json``."""
    for name in ("heads", "labels"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    shape, regions = (44, 40, 40), np.array([51, 100, 81, 81, 0])  # ventricle, grey and white matter, outside
    distance = np.linalg.norm(np.indices(shape).T - (np.array(shape) - 1) / 2, axis=-1).T
    cohort: dict[str, object] = {"name": "noise", "plane": "sagittal", "seed": 0}
    for part in ("training", "validation", "test"):
        volume = (distance < 19) * rng.uniform(50, 200, shape)
        label = regions[np.minimum(distance // 5, 4).astype(int)]
        for name, values in (("heads", volume.astype(np.float32)), ("labels", label.astype(np.uint8))):
            nib.save(nib.Nifti1Image(values, np.diag([2.0, 2.0, 2.0, 1.0])), folder / f"{name}/{part}.nii.gz")
        files = {"image": f"heads/{part}.nii.gz", "label": f"labels/{part}.nii.gz"}
        cohort[part] = [{**files, "subject": part, "slices": [20, 21, 22]}]
    (folder / "dataset.json").write_text(json.dumps(cohort), encoding="utf-8")
    return folder


if __name__ == "__main__":
    try:
        fire.Fire(verify)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(f"error: {error}") from error
