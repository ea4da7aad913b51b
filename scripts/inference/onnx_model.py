# SPDX-License-Identifier: Apache-2.0
"""A restorer that was exported to ONNX: its manifest, its checksums, its graphs. Needs NumPy and ONNX Runtime alone."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files.hashes import file_hash

__all__ = ["FORMAT", "MANIFEST", "OnnxModel", "checked_manifest", "deal_out", "put_together"]

FORMAT, MANIFEST = "brain-mri-autoencoders/onnx-2", "manifest.json"
SCHEMA = "onnx_manifest.schema.json"
SLICES = 16
"""Slices at a time: memory, and the caches of a processor."""
VOXELS, MARGIN = 300_000, 3
"""Where noise is removed: voxels at a time, of each of which there are 64 coefficients, and rows and columns on either
side on which one depends."""
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "number": (int, float), "null": (type(None),),
}  # fmt: skip
Volume = NDArray[np.float32]


class OnnxModel:
    """The graphs of an exported restorer; each is loaded when it is first called.

    Args:
        folder: what ``python -m scripts export`` wrote.
        threads: of ONNX Runtime; 0: as many as this process may use, or ``OMP_NUM_THREADS``.

    Attributes:
        manifest: content of ``manifest.json``.

    Raises:
        FileNotFoundError: the folder, its manifest or a file of it does not exist.
        ValueError: the manifest does not follow its schema, or a file is not the one that it names.
        ModuleNotFoundError: the package onnxruntime is missing.
    """

    def __init__(self, folder: str | Path, threads: int = 0) -> None:
        import onnxruntime

        self.folder = Path(folder)
        path = self.folder / MANIFEST
        if not path.is_file():
            raise FileNotFoundError(f"model '{folder}' has no {MANIFEST}: give a folder that export wrote.")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is damaged ({error}): export the model again.") from None
        try:
            self.manifest = checked_manifest(content)
        except ValueError as error:
            raise ValueError(f"{path} is no manifest of this version: {error} Export the model again.") from None
        self._check_files()
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = threads or _threads()
        self._options.log_severity_level = 3
        self._options.enable_mem_pattern = False  # plans are of no use where sizes vary, and double the memory
        self._runtime = onnxruntime
        self._sessions: dict[str, Any] = {}

    @property
    def has_verdict(self) -> bool:
        """Whether it tells the damage of a volume."""
        return "verdict" in self.manifest["graphs"]

    def fingerprint(self) -> str:
        """SHA-256 of the manifest, which has those of all files."""
        return file_hash(self.folder / MANIFEST)

    def levels(self, image: Volume, one: float = 1.0) -> NDArray[np.float32]:
        """Levels of damage, and the probability of lying outside, of a volume ``(H, W, D)`` with ``one`` as its 1."""
        found: NDArray[np.float32] = self._run("verdict", image, one)[0][0]
        return found

    def named(self, odds: NDArray[np.float32]) -> dict[str, float]:
        """The level of each kind of damage, of what :meth:`levels` gives."""
        return dict(zip(self.manifest["verdict"]["kinds"], odds[:-1].tolist(), strict=True))

    def volume(self, image: Volume, levels: NDArray[np.float32], one: float = 1.0) -> Volume:
        """Restore a volume ``(H, W, D)``, nothing 0 and the bright end ``one``."""
        restored: Volume = self._run("volumes", image, one, levels=levels[None])[0][0, 0]
        return restored

    def slices(self, image: Volume, one: float = 1.0) -> Volume:
        """Restore the slices of a volume ``(H, W, D)``, nothing 0 and the bright end ``one``."""
        parts = np.array_split(image, -(-image.shape[2] // SLICES), axis=2)
        return np.concatenate([self._run("slices", part, one)[0][0, 0] for part in parts], axis=2)

    def noise_std(self, image: Volume) -> float:
        """Standard deviation of the noise of a volume ``(H, W, D)``, nothing 0; 0 where the air does not show it."""
        return float(self._run("noise_level", image)[0][0])

    def without_noise(self, image: Volume, std: float) -> Volume:
        """Remove noise of a standard deviation from a volume ``(H, W, D)``, nothing 0, part by part."""
        height, width, depth = image.shape
        size = max(MARGIN, int((VOXELS / depth) ** 0.5) - 2 * MARGIN)
        guides: dict[str, Volume] = {}
        for word in ("noise_threshold", "noise_weight", "noise_average"):
            done = np.empty_like(image)
            for i, j in itertools.product(range(0, height, size), range(0, width, size)):
                top, left = max(0, i - MARGIN), max(0, j - MARGIN)
                seen = np.s_[top : i + size + MARGIN, left : j + size + MARGIN]
                some = {name: np.ascontiguousarray(guide[seen])[None, None] for name, guide in guides.items()}
                part = self._run(word, image[seen], 1.0, std=np.array([std], np.float32), **some)[0][0, 0]
                done[i : i + size, j : j + size] = part[i - top :, j - left :][:size, :size]
            guides["guide"] = done
        return done

    def without_field(self, image: Volume) -> tuple[Volume, float]:
        """Undo the bias field of a volume ``(H, W, D)``, nothing 0 and the bright end 1; it, and how strong it was."""
        restored, strength = self._run("field", image)
        return restored[0, 0], float(strength[0])

    def _run(self, word: str, image: Volume, one: float = 1.0, **more: NDArray[np.float32]) -> Any:
        if word not in self._sessions:
            graph = str(self.folder / self.manifest["graphs"][word]["file"])
            providers = ["CPUExecutionProvider"]
            self._sessions[word] = self._runtime.InferenceSession(graph, self._options, providers=providers)
        feeds = {
            "image": np.ascontiguousarray(image, dtype=np.float32)[None, None],
            "scale": np.array([0.0, one], dtype=np.float32),
            **more,
        }
        return self._sessions[word].run(None, feeds)

    def _check_files(self) -> None:
        listed = self.manifest["files"]
        for word, graph in self.manifest["graphs"].items():
            if listed.get(graph["file"], {}).get("what") != "graph":
                raise ValueError(f"{self.folder / MANIFEST} names no checksum of the graph {word}: export it again.")
        for name, file in listed.items():
            if not re.fullmatch(r"\w[\w.-]*", name):
                raise ValueError(f"{self.folder / MANIFEST} names {name!r}, which is no file of its folder.")
            found = file_hash(self.folder / name)
            if not found:
                raise FileNotFoundError(f"{self.folder / name} is missing: export the model again.")
            if found != file["sha256"]:
                raise ValueError(
                    f"{self.folder / name} is not the file of the manifest (SHA-256 {found[:8]}..., expected "
                    f"{file['sha256'][:8]}...): copy or export the model again."
                )


def deal_out(image: Volume, factors: Sequence[int]) -> list[Volume]:
    """Interleaved volumes with every f-th row, g-th column and h-th slice; the last ones are repeated where needed."""
    padded = np.pad(image, [(0, -size % f) for size, f in zip(image.shape, factors, strict=True)], mode="edge")
    f, g, h = factors
    return [padded[i::f, j::g, k::h] for i in range(f) for j in range(g) for k in range(h)]


def put_together(parts: Sequence[Volume], factors: Sequence[int], size: Sequence[int]) -> Volume:
    """Undo :func:`deal_out`."""
    f, g, h = factors
    whole = np.empty([factor * length for factor, length in zip(factors, parts[0].shape, strict=True)], np.float32)
    for number, part in enumerate(parts):
        i, rest = divmod(number, g * h)
        j, k = divmod(rest, h)
        whole[i::f, j::g, k::h] = part
    return whole[: size[0], : size[1], : size[2]]


def checked_manifest(manifest: Any) -> dict[str, Any]:
    """A manifest that follows its schema.

    Args:
        manifest: content of the file.

    Returns:
        ``manifest``.

    Raises:
        ValueError: it does not; the message names the first place.
    """
    _check(manifest, _schema(), "it")
    checked: dict[str, Any] = manifest
    return checked


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(Path(__file__).with_name(SCHEMA).read_text(encoding="utf-8"))
    return schema


def _check(value: Any, rule: Mapping[str, Any], where: str) -> None:
    """What of JSON Schema the schema of the manifest uses."""
    types = [rule["type"]] if isinstance(rule.get("type"), str) else rule.get("type", [])
    kinds = tuple(kind for name in types for kind in TYPES[name])
    must = {
        f"be of type {' or '.join(types)}": not types or (isinstance(value, kinds) and not isinstance(value, bool)),
        f"be {rule.get('enum')}": value in rule.get("enum", [value]),
    }
    if all(must.values()):
        must[f"match {rule.get('pattern')}"] = "pattern" not in rule or bool(re.search(rule["pattern"], value))
        must[f"be above {rule.get('exclusiveMinimum')}"] = "exclusiveMinimum" not in rule or (
            value > rule["exclusiveMinimum"]
        )
    for text, holds in must.items():
        if not holds:
            raise ValueError(f"{where} must {text}, got {value!r:.60}.")
    if isinstance(value, list):
        for number, part in enumerate(value):
            _check(part, rule.get("items", {}), f"{where}[{number}]")
    if isinstance(value, dict):
        _check_entries(value, rule, where)


def _check_entries(value: Mapping[str, Any], rule: Mapping[str, Any], where: str) -> None:
    for name in rule.get("required", ()):
        if name not in value:
            raise ValueError(f"{where} has no {name}.")
    for name, part in value.items():
        own = rule.get("properties", {}).get(name, rule.get("additionalProperties", {}))
        if own is False:
            raise ValueError(f"{where} has an unknown key {name!r}.")
        _check(part, own, name if where == "it" else f"{where}.{name}")


def _threads() -> int:
    """As other libraries count them; ONNX Runtime would take all of the machine, also where a container may not."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdecimal() and int(told):
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
