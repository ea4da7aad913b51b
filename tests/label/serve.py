# SPDX-License-Identifier: Apache-2.0
"""Serve built bundles in a real MONAI Label server and compare their answers with those of the command line.

    python tests/label/serve.py .venv-label dist/brain_mri_restorer dist/brain_mri_anomalies

Synthetic heads on three grids go through each bundle twice: by ``monai.bundle run inference``, and by the server over
HTTP. MONAI Label loads weights that do not fit without an error, and writes the affine of the input whatever the order
of the voxels; so neither a status 200 nor an equal header proves anything, and every voxel is compared.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts.data.demo.head import make_head  # noqa: E402

TOLERANCE = 1e-4
"""Largest difference, as a share of the largest voxel. The server runs another numpy and may sum in another order,
which moves a float32 result by 1e-6; a flip, another scale or other weights move it by more than 1e-2."""

START_SECONDS = 180
LOG = "server.log"


ANSWERS = {"clusters": "clusters", "brain_mask": "brain_mask", "anomaly": "anomaly"}
"""Of the bundle of anomaly maps: word of the command line's file by that of the request; the first is the default."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare a MONAI Label server's answers with the command line's.")
    parser.add_argument("venv", type=Path, help="environment made by setup.sh")
    parser.add_argument(
        "bundles", type=Path, nargs="+", help="built bundles; those that no server can serve are left out"
    )
    arguments = parser.parse_args()
    bundles = [bundle.resolve() for bundle in arguments.bundles if "monai-label" in _metadata(bundle)["supported_apps"]]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        heads = write_heads(work / "studies")
        for bundle in bundles:
            run_bundle(bundle, work / "studies", work / bundle.name)
        with server(arguments.venv.absolute(), bundles, work) as address:
            for bundle in bundles:
                check_bundle(bundle, heads, work / bundle.name, address)


def _metadata(bundle: Path) -> dict[str, Any]:
    return dict(json.loads((bundle / "configs/metadata.json").read_text()))


def check_bundle(bundle: Path, heads: list[Path], command_line: Path, address: str) -> None:
    """Compare the answers of a bundle for all heads, and that nobody can train it there."""
    maps = "displayable_configs" in json.loads((bundle / "configs/inference.json").read_text())
    differences = []
    for head in heads:
        name = head.name.removesuffix(".nii.gz")
        for answer, word in (ANSWERS if maps else {"": "restored"}).items():
            query = f"image={name}&output=image"
            given = {} if answer in ("", next(iter(ANSWERS))) else {"answer": answer}
            served = command_line / f"{name}_{word}_served.nii.gz"
            served.write_bytes(post(f"{address}/infer/{bundle.name}?{query}", given))
            differences.append(compare(head, command_line / f"{name}_{word}.nii.gz", served, flips=not maps))
    refuse_training(bundle, address, command_line.parent / LOG)
    largest = f"largest difference {max(differences):.1e} of the maximum"
    sys.stdout.write(f"LABEL_OK {bundle.name}: {len(differences)} answers, {largest}\n")


def refuse_training(bundle: Path, address: str, log_file: Path) -> None:
    """Training is not offered; who asks for it all the same gets an error, and the log says why."""
    trainers = list(json.loads(request(f"{address}/info/"))["trainers"])
    try:
        post(f"{address}/train/{bundle.name}?run_sync=true", {})
    except urllib.error.HTTPError as error:
        reason = f"Train Task is not Initialized. There is no model '{bundle.name}' available"
        deadline = time.monotonic() + 10  # the log is written after the answer
        while reason not in (log := log_file.read_text()) and time.monotonic() < deadline:
            time.sleep(0.2)
        if not trainers and reason in log:
            sys.stdout.write(f"{bundle.name}: training is not offered: status {error.code}, in the log: {reason}\n")
            return
    raise SystemExit(f"error: {bundle.name}: the server offers training, {trainers}, or does not say why it does not.")


def write_heads(folder: Path) -> list[Path]:
    """Write one damaged synthetic head on three grids: plain, stored right to left, and permuted, oblique and uneven.

    Its left hemisphere is darkened, so that a flip cannot go unseen, and has a bright ellipsoid to be found.
    """
    folder.mkdir()
    head = make_head(seed=7)
    image = head.image.copy()
    image[: image.shape[0] // 2] *= 0.7  # right-anterior-superior grid: the first half is the subject's left
    distance = sum(
        ((places - centre) / 6) ** 2 for places, centre in zip(np.indices(image.shape), (30, 60, 60), strict=True)
    )
    image[distance < 1] += 0.6
    rng = np.random.default_rng(7)
    image *= rng.random(image.shape) > 0.04  # pixel dropout
    image *= 900.0  # a scale of its own
    upright = nib.Nifti1Image(image.astype(np.float32), head.affine)
    paths = []
    for name, axes, tilt in (("ras", "RAS", 0.0), ("las", "LAS", 0.0), ("spl_oblique", "SPL", 12.0)):
        volume = reoriented(upright, axes)
        if tilt:
            volume = volume.slicer[3:-2, 1:-4, :-5]
            volume = nib.Nifti1Image(volume.dataobj, rotation(tilt) @ volume.affine)
        paths.append(folder / f"{name}.nii.gz")
        nib.save(volume, paths[-1])
    return paths


def reoriented(volume: nib.Nifti1Image, axes: str) -> nib.Nifti1Image:
    """The same head with its voxels stored along other axes (letters: where an axis points to)."""
    orientation = nib.orientations.ornt_transform(
        nib.orientations.io_orientation(volume.affine), nib.orientations.axcodes2ornt(axes)
    )
    return volume.as_reoriented(orientation)


def rotation(degrees: float) -> NDArray[np.float64]:
    """World rotation about the left-right axis: a nodding head."""
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[1, 0, 0, 0], [0, cosine, -sine, 0], [0, sine, cosine, 0], [0, 0, 0, 1]], dtype=np.float64)


def run_bundle(bundle: Path, input_dir: Path, output_dir: Path) -> None:
    """Run the inference of a bundle on a folder; in float32, as the server does."""
    command = [sys.executable, "-m", "monai.bundle", "run", "inference", "--config_file", "configs/inference.json"]
    command += ["--dataset_dir", str(input_dir), "--output_dir", str(output_dir), "--device", "cpu"]
    if "amp" in json.loads((bundle / "configs/inference.json").read_text()):
        command += ["--amp", "False"]
    done = subprocess.run(command, cwd=bundle, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"error: {bundle.name}: the command line failed:\n{done.stderr[-2000:]}")


@contextmanager
def server(venv: Path, bundles: list[Path], work: Path) -> Iterator[str]:
    """Run a MONAI Label server for bundles on the loopback interface and give its address.

    ``zoo_source local`` and ``sam2 false`` keep it from asking the network for models when it starts.
    """
    python = venv / "bin/python"
    environment = {**os.environ, "PATH": f"{venv / 'bin'}:{os.environ['PATH']}", "CUDA_VISIBLE_DEVICES": ""}
    environment.pop("PYTHONPATH", None)
    label = [str(python), "-W", "ignore", "-m", "monailabel.main"]
    app = work / "apps/monaibundle"
    download = ["apps", "--download", "--name", "monaibundle", "--output", str(app.parent)]
    subprocess.run([*label, *download], env=environment, cwd=work, check=True, capture_output=True)
    for bundle in bundles:
        shutil.copytree(bundle, app / "model" / bundle.name)
    port = free_port()
    places = ["--app", str(app), "--studies", str(work / "studies"), "--host", "127.0.0.1", "--port", str(port)]
    config = [
        word
        for pair in (
            ("models", ",".join(bundle.name for bundle in bundles)),
            ("zoo_source", "local"),
            ("sam2", "false"),
            ("skip_trainers", "true"),
        )
        for word in ("--conf", *pair)
    ]
    log_file = work / LOG
    with log_file.open("w") as log:
        process = subprocess.Popen(
            [*label, "start_server", *places, *config], env=environment, cwd=work, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until_ready(address, process, log_file)
            yield address
        except urllib.error.URLError as error:
            raise SystemExit(f"error: the server answered {error}:\n{log_file.read_text()[-3000:]}") from error
        finally:
            process.terminate()
            process.wait(timeout=30)


def free_port() -> int:
    """A TCP port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(address: str, process: subprocess.Popen[bytes], log_file: Path) -> None:
    """Wait for the server's first answer, and say what its model is."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            models = json.loads(request(f"{address}/info/"))["models"]
        except (urllib.error.URLError, ConnectionError):
            time.sleep(1)
            continue
        for name, model in models.items():
            sys.stdout.write(f"serving {name}: {model['type']}, {model['dimension']}D, version {model['version']}\n")
        return
    raise SystemExit(f"error: the server did not start:\n{log_file.read_text()[-3000:]}")


def request(address: str, method: str = "GET") -> bytes:
    """One HTTP request; the body of the answer."""
    with urllib.request.urlopen(urllib.request.Request(address, method=method), timeout=300) as answer:
        return bytes(answer.read())


def post(address: str, params: dict[str, str]) -> bytes:
    """A request with parameters, as a form field or, for training, as JSON; the body of the answer."""
    training = "/train/" in address
    data = json.dumps(params).encode() if training else urllib.parse.urlencode({"params": json.dumps(params)}).encode()
    kind = {"Content-Type": "application/json"} if training else {}
    with urllib.request.urlopen(urllib.request.Request(address, data, kind, method="POST"), timeout=300) as answer:
        return bytes(answer.read())


def compare(head: Path, command_line: Path, answer: Path, flips: bool) -> float:
    """Largest difference of the two answers, as a share of the maximum; an error where they are not the same.

    Args:
        head: the input.
        command_line: what the command line made of it.
        answer: what the server made of it.
        flips: whether the answer must look more like the input than like the input flipped.
    """
    source, expected, served = nib.load(head), nib.load(command_line), nib.load(answer)
    for name, volume in (("command line", expected), ("server", served)):
        if volume.shape != source.shape or not np.allclose(volume.affine, source.affine, atol=1e-3):
            raise SystemExit(f"error: {head.name}: the {name} changed the grid to {volume.shape}, {volume.affine}.")
    image, first, second = (np.asarray(volume.dataobj, dtype=np.float64) for volume in (source, expected, served))
    if not first.any():
        raise SystemExit(f"error: {head.name}: {command_line.name} is empty, which would equal any failure.")
    difference = float(np.abs(first - second).max() / np.abs(first).max())
    if not difference <= TOLERANCE:
        raise SystemExit(f"error: {head.name}: server and command line differ by {difference:.1e} of the maximum.")
    distance = np.square(second - image).mean()
    for axis in range(3) if flips else ():
        if np.square(second - np.flip(image, axis)).mean() <= distance:
            raise SystemExit(f"error: {head.name}: the answer looks more like the input flipped along axis {axis}.")
    sys.stdout.write(f"{command_line.name}: {image.shape}, {served.get_data_dtype()}, difference {difference:.1e}\n")
    return difference


if __name__ == "__main__":
    main()
