# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.__main__ import main


def test_a_model_is_exported_and_its_files_named(tmp_path, capsys):
    pytest.importorskip("onnx")
    assert main(["export", "brain_mri_autoencoder", str(tmp_path / "out")]) == 0
    written, manifest = capsys.readouterr().out.splitlines()
    assert written == (
        f"wrote LICENSE, README.md, data_license.txt, manifest.json, slices.onnx into {tmp_path / 'out'}"
    )
    assert json.loads(Path(manifest).read_text())["verdict"] is None


def test_what_cannot_be_exported_is_one_line(tmp_path, capsys):
    assert main(["export", "ar_vae", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.startswith("error: ar_vae returns no restored images: brain_mri_restorer and")
