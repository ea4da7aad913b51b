# SPDX-License-Identifier: Apache-2.0
"""What the wheel holds: the package without its studies, the configs, and the published models.

In a checkout the package is called ``scripts``, the name that MONAI Label expects of a bundle; two bundles in one
environment would collide. Installed it has a name of its own, so the configs are rewritten as they are packed.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "brain_mri_autoencoders"
COMMAND = "brain-ae"


class WheelContent(BuildHookInterface[Any]):
    """Hands hatchling a folder with everything that is to be installed."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Stage the package before the wheel is made.

        Raises:
            ValueError: the install is editable.
        """
        if version == "editable":
            raise ValueError("an editable install would give every class two names: pip install ., or use the checkout")
        self.staged = tempfile.mkdtemp()
        stage(Path(self.root), Path(self.staged))
        build_data["force_include"][self.staged] = PACKAGE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was staged."""
        shutil.rmtree(self.staged)


def stage(root: Path, package: Path) -> None:
    """Write the content of the installed package.

    Args:
        root: the checkout.
        package: folder of the package.
    """
    (package / "py.typed").touch()
    for path in sorted((root / "scripts").rglob("*")):
        place = path.relative_to(root / "scripts")
        if not path.is_file() or place.parts[0] == "studies" or "__pycache__" in place.parts:
            continue
        if path.suffix in (".pt", ".npz"):
            shutil.copyfile(path, package / place)
        else:
            _write(package / place, installed_text(path.read_text(encoding="utf-8")))
    for path in sorted((root / "configs").rglob("*")):
        if path.is_file() and "scripts.studies" not in (text := path.read_text(encoding="utf-8")):
            _write(package / path.relative_to(root), installed_config(text))
    for recipe in sorted((root / "bundle").glob("*/recipe.yaml")):
        for name in ("recipe.yaml", "metadata.json", "README.md"):
            path = recipe.with_name(name)
            _write(package / path.relative_to(root), installed_text(path.read_text(encoding="utf-8")))
        shutil.copyfile(recipe.with_name("model.pt"), package / recipe.relative_to(root).with_name("model.pt"))


def installed_text(text: str) -> str:
    """Name the commands as they are called where the package is installed."""
    return re.sub(r"\bpython -m scripts(?=[\s`)])", COMMAND, text)


def installed_config(text: str) -> str:
    """Name the package as installed, make it the root of the bundle, and the current folder the place of results."""
    text = text.replace("@bundle_root + '/scripts/", "@bundle_root + '/")  # the root is the package
    text = re.sub(r"\bscripts\b", PACKAGE, installed_text(text))
    text = re.sub(r"(?m)^bundle_root: \.$", f"bundle_root: $__import__('{PACKAGE}').__path__[0]", text)
    return text.replace("@bundle_root + '/eval", "'eval")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
