# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import nullcontext

import nibabel as nib
import numpy as np
import pytest

from scripts.demo.restoration import demo_head
from scripts.inference.onnx_folder import OnnxFolder
from scripts.inference.onnx_model import OnnxModel

BARE = """
import sys
for name in ("torch", "monai", "fire", "ignite", "yaml", "tqdm", "isal", "itk", "pydicom", "scipy", "pandas"):
    sys.modules[name] = None
from scripts.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
"""The command line where nothing but NumPy, NiBabel and ONNX Runtime can be imported."""


@pytest.fixture
def folder(tmp_path):
    """A head of int16, the same in a BIDS tree, and what is no head."""
    values = demo_head(2, spacing_mm=4.0).get_fdata()
    image = nib.Nifti1Image((values / values.max() * 1000).astype(np.int16), np.diag([-2.0, 2.0, 2.0, 1.0]))
    anat = tmp_path / "in/sub-01/anat"
    anat.mkdir(parents=True)
    nib.save(image, tmp_path / "in/a.nii.gz")
    nib.save(image, anat / "sub-01_T1w.nii")
    (tmp_path / "in/broken.nii.gz").write_bytes(b"no image")
    (tmp_path / "in/scan.mha").write_text("ObjectType = Image")
    return tmp_path


def bare(root, *words):
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", BARE, "restore", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_a_folder_is_restored_without_torch(folder, small, root):
    out = folder / "out"
    done = bare(
        root, folder / "in", out, "--runtime", "onnx", "--model", small[0], "--gate", "false", "--dtype", "input"
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.split() == [
        str(out / "a_restored.nii.gz"),
        str(out / "sub-01/anat/sub-01_desc-restored_T1w.nii.gz"),
    ]
    assert "left out are repairs by formula" in done.stderr
    assert "skipped broken.nii.gz: the file is not compressed as its name says, or is damaged." in done.stderr
    assert "skipped scan.mha: MetaImage is not read by the runtime onnx" in done.stderr
    assert "error: 2 of 4 volumes were skipped, see " in done.stderr
    report = json.loads((out / "report.json").read_text())
    assert report["finished"]
    assert [one["name"] for one in report["restored"]] == ["a.nii.gz", "sub-01/anat/sub-01_T1w.nii"]
    assert {one["runtime"] for one in report["restored"]} == {"onnx"}
    result = nib.load(out / "a_restored.nii.gz")
    assert result.get_data_dtype() == np.int16
    assert not np.array_equal(result.get_fdata(), nib.load(folder / "in/a.nii.gz").get_fdata())
    sidecar = json.loads((out / "a_restored.json").read_text())
    assert sidecar["Restoration"]["plane"] == "sagittal"


def test_options_of_the_runtime_torch_are_refused_before_any_work(folder, small, root):
    for words, message in (
        (("--uncertainty",), "--uncertainty is of no use with --runtime onnx. Known: --plane"),
        (("--mode", "fill"), "--mode is of no use"),
        (("--anomaly",), "--anomaly is of no use with --runtime onnx"),
        (("--plain", "axial"), "Did you mean --plane?"),
        (("--gate", "perhaps"), "--gate must be true or false, got 'perhaps'"),
        (("--plane", "diagonal"), "plane 'diagonal' is unknown"),
        (("--dtype", "int4"), "dtype 'int4' is unknown"),
        (("--threads", "0"), "--threads must be a whole number of at least 1"),
    ):
        done = bare(root, folder / "in", folder / "out", "--runtime", "onnx", "--model", small[0], *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr
        assert done.stderr.count("\n") == 1
    assert not (folder / "out").exists()


def test_without_torch_the_other_runtime_says_what_is_missing(folder, root):
    done = bare(root, folder / "in", folder / "out")
    assert done.returncode == 1
    assert "is missing: pip install" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_that_was_not_exported_is_named(folder, root):
    done = bare(root, folder / "in", folder / "out", "--runtime", "onnx", "--model", folder / "none")
    assert done.returncode == 2
    assert "none' has no manifest.json: give a folder that export wrote." in done.stderr


def test_results_are_kept_and_a_dry_run_writes_nothing(folder, small):
    def run(**options):
        made = OnnxFolder(str(folder / "in"), str(folder / "out"), OnnxModel(small[0]), gate=False, **options)
        with nullcontext() if options.get("dry_run") else pytest.raises(ValueError, match="skipped"):
            made.run()
        return made.report

    report = run(dry_run=True)
    assert (len(report.restored), len(report.skipped)) == (2, 2)
    assert not (folder / "out").exists()
    assert run(skip_existing=True).existing == 0
    written = (folder / "out/a_restored.nii.gz").stat().st_mtime_ns
    assert run(skip_existing=True).existing == 2
    assert (folder / "out/a_restored.nii.gz").stat().st_mtime_ns == written
    assert run(skip_existing=True, plane="axial").existing == 0


def test_a_failure_concerns_one_volume(folder, small, monkeypatch):
    from scripts.inference import onnx_folder

    load = onnx_folder.load_volume

    def short(path, max_memory):
        if path.name == "a.nii.gz":
            raise MemoryError
        return load(path, max_memory)

    monkeypatch.setattr(onnx_folder, "load_volume", short)
    made = OnnxFolder(str(folder / "in"), str(folder / "out"), OnnxModel(small[0]), gate=False)
    with pytest.raises(ValueError, match="3 of 4 volumes were skipped"):
        made.run()
    assert made.report.skipped[0] == {"name": "a.nii.gz", "reason": "there is not enough memory for it."}
