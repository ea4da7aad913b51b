# SPDX-License-Identifier: Apache-2.0
"""Bundles laid out for publishing: MONAI downloads, loads and would push them; the zoo's unit test passes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from monai.apps.utils import HashCheckError, download_url
from monai.bundle import download

from bundle import build as builder
from bundle.publish import publish

NAME = "brain_mri_autoencoder"
NAMES = sorted(path.parent.name for path in (builder.ROOT / "bundle").glob("*/recipe.yaml"))


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    builder.build(output_dir=str(folder))
    return folder


@pytest.fixture(scope="module")
def published(built, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    archives = publish(*map(str, sorted(built.iterdir())), output_dir=str(folder))
    assert [Path(archive).name.rpartition("_v")[0] for archive in archives] == NAMES
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", NAMES)
def test_monai_downloads_what_was_built(built, published, tmp_path, name):
    (archive,) = published.glob(f"{name}_v*.zip")
    download(name=name, bundle_dir=str(tmp_path), url=archive.as_uri(), progress=False)
    assert contents(tmp_path / name) == contents(built / name)
    version = json.loads((tmp_path / name / "configs/metadata.json").read_text())["version"]
    assert archive.name == f"{name}_v{version}.zip"


def test_the_checksum_is_that_of_the_archive(published, tmp_path):
    for archive in published.glob("*.zip"):
        digest, name = archive.with_name(f"{archive.name}.sha256").read_text().split()
        assert (digest, name) == (hashlib.sha256(archive.read_bytes()).hexdigest(), archive.name)
        download_url(archive.as_uri(), tmp_path / name, hash_val=digest, hash_type="sha256", progress=False)
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(archive.read_bytes()[:-1] + b"x")
    with pytest.raises(HashCheckError):
        download_url(damaged.as_uri(), tmp_path / "other.zip", hash_val=digest, hash_type="sha256", progress=False)


def test_monai_loads_what_it_downloaded(published, tmp_path):
    """In a process of its own: the bundle's package is called as the repository's."""
    (archive,) = published.glob(f"{NAME}_v*.zip")
    program = (
        "import sys, torch; from monai.bundle import download, load\n"
        "download(name=sys.argv[1], bundle_dir='.', url=sys.argv[2], progress=False)\n"
        "network = load(name=sys.argv[1], bundle_dir='.', source='github', repo='a/b/c')\n"
        "torch.save(network.state_dict(), 'loaded.pt')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, NAME, archive.as_uri()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    loaded, shipped = (torch.load(path) for path in (tmp_path / "loaded.pt", builder.ROOT / f"bundle/{NAME}/model.pt"))
    assert loaded.keys() == shipped.keys()
    assert all(torch.equal(loaded[key], shipped[key]) for key in shipped)


@pytest.mark.parametrize("name", NAMES)
def test_the_hub_would_get_the_bundle_and_its_card(built, published, name):
    pushed, bundle = contents(published / "hub" / name), contents(built / name)
    card = pushed.pop("README.md").decode()
    assert pushed == bundle  # and the bundle itself has no card at its root
    front, _, text = card.removeprefix("---\n").partition("\n---\n")
    assert set(front.splitlines()) >= {"- monai", "- medical", "library_name: monai", "license: apache-2.0"}
    assert text == bundle["docs/README.md"].decode()


def test_the_same_bundle_gives_the_same_bytes(built, published, tmp_path):
    os.utime(built / NAME / "LICENSE", (1, 1))
    publish(str(built / NAME), output_dir=str(tmp_path))
    publish(str(built / NAME), output_dir=str(tmp_path))  # over the former one
    first, second = contents(published), contents(tmp_path)
    assert {name: first[name] for name in second} == second


def test_what_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no bundle, it has no configs"):
        publish(str(tmp_path), output_dir=str(tmp_path / "out"))


@pytest.mark.slow
@pytest.mark.skipif(find_spec("parameterized") is None, reason="parameterized is not installed")
@pytest.mark.parametrize("name", NAMES)
def test_the_unit_test_of_the_zoo_passes(published, tmp_path, name):
    zoo = Path(shutil.copytree(published / "zoo", tmp_path / "zoo"))
    command = [sys.executable, "-m", "unittest", f"ci/unit_tests/test_{name}.py"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, cwd=zoo, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Ran 2 tests" in done.stderr
