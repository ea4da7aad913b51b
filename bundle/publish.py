# SPDX-License-Identifier: Apache-2.0
"""Lay built bundles out for the places where they are published, without publishing anything.

    python bundle/publish.py                                # every bundle in dist/, into published/
    python bundle/publish.py dist/brain_mri_restorer --output_dir /elsewhere

For each bundle: ``NAME_vVERSION.zip``, what ``monai.bundle.download`` unpacks, with its SHA-256 beside it;
``hub/NAME``, the files that MONAI's ``push_to_hf_hub`` would upload to Hugging Face, collected by that function itself,
with a hub that is none and needs no network; ``zoo``, the files of a contribution to the model zoo. The same bundle
gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import fire
from monai.bundle import push_to_hf_hub

__all__ = ["publish"]

UNIT_TEST = Path(__file__).with_name("unit_test.py")
OWNER = "OWNER"
"""Stands for the account at Hugging Face, which the files do not depend on."""


def publish(*folders: str, output_dir: str = "published") -> list[str]:
    """Lay out bundles.

    Args:
        folders: built bundles; every folder of ``dist/`` by default.
        output_dir: folder of the results; those of the same bundle are replaced.

    Returns:
        The archives.

    Raises:
        FileNotFoundError: there is no bundle.
    """
    bundles = [Path(folder) for folder in folders] or sorted(Path("dist").glob("*/"))
    if not bundles:
        raise FileNotFoundError("dist/ has no bundle; run python bundle/build.py first.")
    target = Path(output_dir)
    archives = []
    for bundle in bundles:
        if not (bundle / "configs/metadata.json").is_file():
            raise FileNotFoundError(
                f"{bundle} is no bundle, it has no configs/metadata.json; run python bundle/build.py."
            )
        metadata = json.loads((bundle / "configs/metadata.json").read_text(encoding="utf-8"))
        archives.append(str(pack(bundle, target, metadata["version"])))
        stage_hub(bundle, target / "hub" / bundle.name, metadata["version"])
        stage_zoo(bundle, target / "zoo", metadata)
    return archives


def pack(bundle: Path, target: Path, version: str) -> Path:
    """Write the archive of a bundle and its checksum.

    Args:
        bundle: folder of the bundle.
        target: folder of the archive.
        version: version of the bundle.

    Returns:
        The archive, of which a folder with the name of the bundle is unpacked.
    """
    target.mkdir(parents=True, exist_ok=True)
    archive = target / f"{bundle.name}_v{version}.zip"
    with ZipFile(archive, "w", ZIP_DEFLATED) as file:
        for path in sorted(path for path in bundle.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
            entry = ZipInfo(f"{bundle.name}/{path.relative_to(bundle).as_posix()}")  # of 1980, so that bytes are equal
            entry.external_attr, entry.compress_type = 0o644 << 16, ZIP_DEFLATED
            file.writestr(entry, path.read_bytes())
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    archive.with_name(f"{archive.name}.sha256").write_text(f"{digest}  {archive.name}\n", encoding="utf-8")
    return archive


def stage_hub(bundle: Path, target: Path, version: str) -> None:
    """Collect what ``push_to_hf_hub`` uploads.

    Args:
        bundle: folder of the bundle, which stays as it is.
        target: folder of the files, replaced.
        version: name of the tag.
    """

    def upload(repo_id: str, folder_path: str) -> str:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder_path, target, ignore=shutil.ignore_patterns("__pycache__"))
        return repo_id

    def nothing(**_arguments: Any) -> None:
        """What only concerns the account."""

    hub = SimpleNamespace(upload_folder=upload, create_repo=nothing, create_tag=nothing)
    with (
        tempfile.TemporaryDirectory() as work,
        patch("monai.bundle.scripts.huggingface_hub", SimpleNamespace(HfApi=lambda token: hub)),
    ):
        shutil.copytree(bundle, Path(work) / bundle.name)  # MONAI writes the card into it
        push_to_hf_hub(f"{OWNER}/{bundle.name}", bundle.name, work, version=version, tag_as_latest_version=True)


def stage_zoo(bundle: Path, zoo: Path, metadata: dict[str, Any]) -> None:
    """Collect what a contribution to the model zoo consists of: the bundle, its unit test, what its training needs.

    Args:
        bundle: folder of the bundle.
        zoo: root of the zoo's files.
        metadata: of the bundle.
    """
    model = zoo / "models" / bundle.name
    shutil.rmtree(model, ignore_errors=True)
    shutil.copytree(bundle, model, ignore=shutil.ignore_patterns("__pycache__"))
    test = zoo / f"ci/unit_tests/test_{bundle.name}.py"
    install = zoo / f"ci/install_scripts/install_{bundle.name}_dependency.sh"
    for path in (test, install):
        path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(UNIT_TEST, test)
    pins = [f"{name}=={version}" for name, version in metadata["optional_packages"].items()]
    install.write_text(f"#!/bin/bash\nset -e\npip install {' '.join(pins)}\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        fire.Fire(publish)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(f"error: {error}") from error
