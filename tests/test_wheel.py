# SPDX-License-Identifier: Apache-2.0
"""The wheel holds the package under its own name, configs and published models, and nothing that is not shipped."""

from __future__ import annotations

import json
import re
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
import yaml
from monai.bundle import ConfigParser

from scripts.files.installation import OPTIONAL_PACKAGES
from tests.helpers.wheel import build_wheel

NEEDED = {"torch", "monai", "numpy", "nibabel", "pytorch-ignite", "pyyaml", "fire", "tqdm"}
"""Packages without which no head is restored."""

PUBLISHED = ("README.md", "metadata.json", "model.pt", "recipe.yaml")


@pytest.fixture(scope="module")
def site(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The content of the wheel."""
    wheel = build_wheel(root, tmp_path_factory.mktemp("wheel"))
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def package(site: Path) -> Path:
    return site / "brain_mri_autoencoders"


@pytest.fixture(scope="module")
def distribution(site: Path) -> PathDistribution:
    return PathDistribution(next(site.glob("*.dist-info")))


def names(folder: Path, pattern: str) -> set[str]:
    """Files of a folder that a build could have put there."""
    files = [path for path in folder.rglob(pattern) if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(folder).as_posix() for path in files}


def test_package_has_every_module_but_the_studies(site: Path, package: Path, root: Path) -> None:
    for pattern in ("*.py", "*.jinja"):
        shipped = {name for name in names(root / "scripts", pattern) if not name.startswith("studies/")}
        assert names(package, pattern) == shipped
    assert (package / "py.typed").is_file()
    assert {path.name.partition("-")[0] for path in site.iterdir()} == {"brain_mri_autoencoders"}
    assert not names(site, "test_*")


def test_what_the_configs_name_is_inside(package: Path) -> None:
    """Weights and calibrations, by their paths below the root of the bundle, which is the package."""
    texts = [(path, path.read_text()) for path in sorted((package / "configs").rglob("*.yaml"))]
    named = {
        (path.name, place) for path, text in texts for place in re.findall(r"@bundle_root \+ '/([^']+\.\w+)'", text)
    }
    assert ("anomaly_undoing.yaml", "bundle/brain_mri_anomalies/model.pt") in named
    assert [(config, place) for config, place in sorted(named) if not (package / place).is_file()] == []


def test_configs_and_published_models_are_inside(package: Path, root: Path) -> None:
    configs = root / "configs"
    known = {name for name in names(configs, "*") if "scripts.studies" not in (configs / name).read_text()}
    assert names(package / "configs", "*") == known
    assert {"train.yaml", "evaluate.yaml", "inference.yaml", "recipe/ar_vae.yaml", "logging.conf"} <= known
    published = {path.parent.name for path in (root / "bundle").glob("*/model.pt")}
    assert names(package / "bundle", "*") == {f"{name}/{file}" for name in published for file in PUBLISHED}
    for name in published:
        weights = f"bundle/{name}/model.pt"
        assert (package / weights).read_bytes() == (root / weights).read_bytes()


def test_configs_name_the_package_as_it_is_installed(package: Path) -> None:
    for path in (package / "configs").rglob("*.*"):
        assert not re.search(r"\bscripts\b", path.read_text()), path
    train = ConfigParser.load_config_file(package / "configs/train.yaml")
    assert train["network_def"]["_target_"] == "brain_mri_autoencoders.networks.ResidualUNet"
    assert "$import brain_mri_autoencoders.handlers" in train["imports"]


def test_results_land_in_the_current_folder(package: Path) -> None:
    for name in ("train", "inference"):
        config = ConfigParser(yaml.safe_load((package / f"configs/{name}.yaml").read_text()))
        config["bundle_root"] = "/installed"
        config["recipe"] = "mine"
        places = [config.get_parsed_content(key) for key in ("output_dir", "cache_dir") if key in config]
        assert all(place.startswith("eval/") for place in places), places
    assert ConfigParser.load_config_file(package / "configs/inference.yaml")["bundle_root"].startswith("$")
    assert config.get_parsed_content("weights") == "/installed/bundle/brain_mri_restorer/model.pt"


def test_texts_name_the_commands_as_they_are_installed(package: Path) -> None:
    texts = {
        path: path.read_text() for pattern in ("*.py", "*.md", "*.json", "*.jinja") for path in package.rglob(pattern)
    }
    assert [path for path, text in texts.items() if re.search(r"python -m scripts [a-z]", text)] == []
    assert "brain-ae prepare" in texts[package / "data/cohort.py"]


def test_wheel_asks_for_what_restoring_a_head_needs(distribution: PathDistribution) -> None:
    required = [line for line in distribution.requires or [] if "extra ==" not in line]
    assert {re.match(r"[\w-]+", line)[0] for line in required} == NEEDED
    assert {"speed", "dicom", "train", "report", "all"} <= set(distribution.metadata.get_all("Provides-Extra"))


def test_every_optional_package_is_in_the_extra_that_its_error_names(distribution: PathDistribution) -> None:
    for package, extra in OPTIONAL_PACKAGES.values():
        lines = [line for line in distribution.requires or [] if re.match(rf"{package}\b", line)]
        assert any("extra" not in line or f"extra == '{extra}'" in line for line in lines), package
        assert package in NEEDED or any("extra == 'all'" in line for line in lines)


def test_licences_and_command_are_installed(distribution: PathDistribution, package: Path) -> None:
    (script,) = distribution.entry_points
    assert (script.group, script.name) == ("console_scripts", "brain-ae")
    assert script.value == "brain_mri_autoencoders.__main__:main"
    assert "def main(" in (package / "__main__.py").read_text()
    licences = {Path(name).name for name in distribution.metadata.get_all("License-File")}
    assert licences == {"LICENSE", "data_license.txt"}
    assert distribution.version == json.loads((package / "configs/metadata.json").read_text())["version"]
