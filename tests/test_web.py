# SPDX-License-Identifier: Apache-2.0
"""The page in the browser restores what the command line restores, and asks nobody else for anything."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from scripts.demo.restoration import demo_head
from scripts.inference.onnx_export import export
from scripts.inference.onnx_folder import OnnxFolder
from scripts.inference.onnx_model import OnnxModel
from scripts.pages.local_server import LocalServer
from tests.helpers.exported import write_small_restorer

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def web(root: Path) -> Path:
    """Folder of the sources of the page, with the packages of its lock file."""
    if shutil.which("node") is None:
        pytest.skip("node is missing: apt-get install nodejs npm")
    if not (root / "web/node_modules/onnxruntime-web").is_dir():
        pytest.skip("the page's packages are missing: npm ci --prefix web --ignore-scripts")
    return root / "web"


def damaged(spacing_mm: float, seed: int = 4) -> np.ndarray:
    head = demo_head(seed, spacing_mm=spacing_mm).get_fdata()
    rng = np.random.default_rng(seed)
    noise = 0.05 * np.percentile(head, 99.5)
    return np.hypot(head + noise * rng.standard_normal(head.shape), noise * rng.standard_normal(head.shape))


def uneven(spacing_mm: float) -> np.ndarray:
    head = demo_head(4, spacing_mm=spacing_mm).get_fdata()
    return head * np.exp(np.linspace(-0.4, 0.4, head.shape[1])[:, None])


def heads(folder: Path) -> list[Path]:
    """Small heads of several types, grids and units."""
    values, files, rng = damaged(4.0), [], np.random.default_rng(1)
    whole = (values / values.max() * 1000).astype(np.int16)
    scores = ((values - values.mean()) / values.std()).astype(np.float32)
    turned = np.array([[0, 0, 1.5, 7], [-2, 0, 0, 3], [0, -2.1, 0, 1], [0, 0, 0, 1.0]])
    for name, array, affine in (
        ("floats.nii", values.astype(np.float32), np.diag([2.0, 2, 2, 1])),
        ("whole.nii.gz", whole, np.diag([-2.0, 2, 2, 1])),
        ("scores.nii.gz", scores, turned),
        ("fine.nii.gz", values.astype(np.float32), np.diag([1.0, 2, 1, 1])),
        ("coarse.nii.gz", values.astype(np.float32), np.diag([3.0, 3, 3.2, 1])),
        ("thick.nii.gz", values.astype(np.float32), np.diag([1.9, 1.9, 5, 1])),
        ("far.nii.gz", values / values.max() + 1e9, np.diag([2.0, 2, 2, 1])),
        ("padded.nii.gz", np.pad(whole, 4, constant_values=-1024), np.diag([2.0, 2, 2, 1])),
        ("uneven.nii.gz", uneven(4.0).astype(np.float32), np.diag([2.0, 2, 2, 1])),
        ("lost.nii.gz", np.where(rng.random(whole.shape) < 0.1, 0, whole), np.diag([2.0, 2, 2, 1])),
    ):  # fmt: skip
        nib.save(nib.Nifti1Image(array, affine), folder / name)
        files.append(folder / name)
    swapped = nib.Nifti2Image(whole.astype(">i2"), np.diag([2.0, 2, 2, 1]), nib.Nifti2Header(endianness=">"))
    swapped.header.set_slope_inter(0.5, 3)
    nib.save(swapped, folder / "big.nii")
    return [*files, folder / "big.nii"]


def assert_equal(page: Path, command: Path, original: Path) -> None:
    one, other = nib.load(page), nib.load(command)
    np.testing.assert_allclose(one.affine, other.affine)
    assert one.get_data_dtype().newbyteorder("=") == other.get_data_dtype().newbyteorder("=")
    values = nib.load(original).get_fdata()
    assert not np.array_equal(other.get_fdata(), values)
    limit = 1e-3 * np.ptp(np.percentile(values, (1, 99)))
    np.testing.assert_allclose(one.get_fdata(), other.get_fdata(), atol=limit, rtol=0, err_msg=page.name)


@pytest.mark.slow
def test_the_page_restores_as_the_command_line_does(web, tmp_path):
    model, _ = write_small_restorer(tmp_path)
    for name in ("in", "page", "command"):
        (tmp_path / name).mkdir()
    files = heads(tmp_path / "in")
    (tmp_path / "broken.nii.gz").write_bytes(b"\x1f\x8b broken")
    script = [str(web / "test/restore.mjs"), str(model), str(tmp_path / "page"), "--no-gate"]
    done = subprocess.run(
        ["node", *script, *map(str, files), str(tmp_path / "broken.nii.gz")], capture_output=True, text=True, check=True
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert said[-1] == {"name": "broken.nii.gz", "error": "the compressed file is damaged: copy it again."}
    assert [line.get("plane") for line in said[:-1]] == [
        "axial" if "thick" in file.name else "sagittal" for file in files
    ]
    OnnxFolder(str(tmp_path / "in"), str(tmp_path / "command"), OnnxModel(model), gate=False).run()
    undone = {line["name"].partition("_")[0]: line.get("repaired") for line in said[:-1]}
    assert (undone["floats"], undone["uneven"]) == (["noise"], ["uneven brightness"])
    for line, file in zip(said, files, strict=False):
        assert_equal(tmp_path / "page" / line["name"], tmp_path / "command" / line["name"], file)


def test_the_lock_file_names_no_other_registry(root):
    lock = json.loads((root / "web/package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert {"node_modules/@niivue/niivue", "node_modules/onnxruntime-web"} <= packages.keys()
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    resolved = {package["resolved"] for package in packages.values() if "resolved" in package}
    assert all(address.startswith("https://registry.npmjs.org/") for address in resolved)


@pytest.mark.slow
def test_the_page_in_a_browser(web, tmp_path):
    if CHROMIUM is None:
        pytest.skip("chromium is missing: apt-get install chromium, or set CHROMIUM to its path")
    page, run, shots = (tmp_path / name for name in ("page", "run", "shots"))
    subprocess.run(["node", "build.mjs", str(page)], cwd=web, check=True)
    export("brain_mri_restorer", page / "model")
    for folder in (run, shots, tmp_path / "in"):
        folder.mkdir()
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    values = damaged(2.0)
    nib.save(nib.Nifti1Image(values.astype(np.float32), affine), tmp_path / "in/head.nii.gz")
    nib.save(nib.Nifti1Image(values.astype(np.float32), affine), run / "head_restored.nii.gz")
    near = np.exp(
        -sum(((axis - size / 2) / 9) ** 2 for axis, size in zip(np.indices(values.shape), values.shape, strict=True))
    )
    nib.save(nib.Nifti1Image((4 * near).astype(np.float32), affine), run / "head_anomaly.nii.gz")
    nib.save(nib.Nifti1Image((near > 0.5).astype(np.uint8), affine), run / "head_clusters.nii.gz")
    with LocalServer(run, page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = ["node", "test/page.mjs", CHROMIUM, server.address, str(tmp_path / "in/head.nii.gz"), str(shots)]
        done = subprocess.run(command, cwd=web, capture_output=True, text=True, check=False)
        server.shutdown()
        assert done.returncode == 0, done.stderr[-3000:]
        seen = json.loads(done.stdout)
        sys.stderr.write(f"{seen['status']}\n")
        own = (server.address, f"blob:{server.address}", "data:")
        assert [url for url in seen["requests"] if not url.startswith(own)] == []
    assert seen["problems"] == []
    assert (seen["bases"], seen["map"]) == (["head_restored.nii.gz"], "head_anomaly.nii.gz")
    assert seen["maps"] == ["", "head_anomaly.nii.gz", "head_clusters.nii.gz"]
    for what in (
        "overlay_toggles",
        "overlay_comes_back",
        "opacity_moves",
        "threshold_moves",
        "slices_move",
        "compares",
    ):
        assert seen[what], what
    assert not seen["scrolls_sideways"]
    assert "broken.nii.gz cannot be read" in seen["broken"]
    assert seen["saved"] == "head_restored.nii.gz"
    model = OnnxModel(page / "model")
    OnnxFolder(str(tmp_path / "in"), str(tmp_path / "command"), model, gate=False).run()
    assert_equal(shots / seen["saved"], tmp_path / "command/head_restored.nii.gz", tmp_path / "in/head.nii.gz")
    assert seen["processor_seconds"] < 30  # of one thread; by the clock it is more where others work, too
