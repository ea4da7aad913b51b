# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import shutil

import pytest

from scripts.inference.onnx_model import OnnxModel, checked_manifest


@pytest.fixture
def copy(small, tmp_path):
    return shutil.copytree(small[0], tmp_path / "model")


def changed(manifest, path, value):
    *parents, last = path
    for key in parents:
        manifest = manifest[key]
    if value is None:
        del manifest[last]
    else:
        manifest[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("name",), None, "it has no name"),
        (("name",), 7, "name must be of type string, got 7"),
        (("format",), "other-9", r"format must be \['brain-mri"),
        (("code",), "$import os", "it has an unknown key 'code'"),
        (("verdict", "kinds"), "noise", "verdict.kinds must be of type array"),
        (("verdict", "least"), 0, "verdict.least must be above 0"),
        (("image", "spacing_mm"), True, "image.spacing_mm must be of type number"),
        (("graphs", "slices"), None, "graphs has no slices"),
        (("graphs", "slices", "file"), "../slices.onnx", "graphs.slices.file must match"),
        (("files", "slices.onnx", "sha256"), "123", r"files.slices.onnx.sha256 must match"),
        (("left_out",), [1], r"left_out\[0\] must be of type string"),
    ],
)
def test_a_manifest_against_its_schema_is_refused(copy, path, value, message):
    manifest = json.loads((copy / "manifest.json").read_text())
    assert checked_manifest(manifest) is manifest
    changed(manifest, path, value)
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=f"manifest.json is no manifest of this version: {message}"):
        OnnxModel(copy)


def test_a_file_that_was_changed_is_refused(copy):
    with (copy / "volumes.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ValueError, match=r"volumes.onnx is not the file of the manifest \(SHA-256"):
        OnnxModel(copy)


def test_a_graph_without_a_checksum_is_refused(copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    del manifest["files"]["verdict.onnx"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="no checksum of the graph verdict"):
        OnnxModel(copy)


def test_a_file_outside_of_the_folder_is_refused(copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"]["../model.pt"] = {"sha256": "0" * 64, "what": "card"}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="no file of its folder"):
        OnnxModel(copy)


def test_what_is_missing_is_named(copy, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no manifest\.json: give a folder that export wrote"):
        OnnxModel(tmp_path)
    (copy / "README.md").unlink()
    with pytest.raises(FileNotFoundError, match=r"README\.md is missing"):
        OnnxModel(copy)
    (copy / "manifest.json").write_text("{")
    with pytest.raises(ValueError, match=r"manifest\.json is damaged"):
        OnnxModel(copy)
