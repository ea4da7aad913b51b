# SPDX-License-Identifier: Apache-2.0
"""Random damage to files: bits, bytes, whole pieces, numbers of a text header."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

__all__ = ["mutate"]

HEADERS = {".nii": 352, ".mha": 300, ".nrrd": 250, "": 900}
"""Where the voxels begin, about."""
INTERESTING = (0x00, 0x01, 0x7F, 0x80, 0xFF)

Damage = Callable[[bytearray, np.random.Generator, int, int], bytearray]


def mutate(path: Path, seed: int) -> str:
    """Damage a file, the same for the same seed.

    Half of the damage is done to the header. A compressed NIfTI file is damaged as a whole in one of two cases, in the
    other it is damaged inside and compressed again.

    Args:
        path: file.
        seed: seed of what is done.

    Returns:
        What was done.
    """
    rng = np.random.default_rng(seed)
    inside = path.suffix == ".gz" and rng.random() < 0.5
    content = bytearray(gzip.decompress(path.read_bytes()) if inside else path.read_bytes())
    header = HEADERS[".nii" if inside else path.suffix] if inside or path.suffix in HEADERS else len(content)
    start, end = (0, min(header, len(content))) if rng.random() < 0.5 else (min(header, len(content) - 1), len(content))
    names = list(DAMAGE)
    name = names[int(rng.integers(len(names)))]
    content = DAMAGE[name](content, rng, start, end)
    path.write_bytes(gzip.compress(content, mtime=0) if inside else content)
    return f"{name} in the {'header' if start == 0 else 'voxels'}"


def _bits(content: bytearray, rng: np.random.Generator, start: int, end: int) -> bytearray:
    for place in rng.integers(start, end, size=int(rng.integers(1, 4))):
        content[place] ^= 1 << int(rng.integers(8))
    return content


def _bytes(content: bytearray, rng: np.random.Generator, start: int, end: int) -> bytearray:
    place, length = int(rng.integers(start, end)), int(rng.integers(1, 9))
    for offset in range(place, min(place + length, end)):
        content[offset] = int(rng.choice(INTERESTING)) if rng.random() < 0.5 else int(rng.integers(256))
    return content


def _cut(content: bytearray, rng: np.random.Generator, start: int, end: int) -> bytearray:
    return content[: int(rng.integers(start, end))]


def _removed(content: bytearray, rng: np.random.Generator, start: int, end: int) -> bytearray:
    place = int(rng.integers(start, end))
    del content[place : place + int(rng.integers(1, 65))]
    return content


def _repeated(content: bytearray, rng: np.random.Generator, start: int, end: int) -> bytearray:
    place, length = int(rng.integers(start, end)), int(rng.integers(1, 65))
    content[place:place] = content[place : place + length]
    return content


def _swapped(content: bytearray, rng: np.random.Generator, start: int, end: int) -> bytearray:
    one, other = (int(place) for place in rng.integers(start, end, size=2))
    length = int(rng.integers(1, 17))
    content[one : one + length], content[other : other + length] = (
        content[other : other + length],
        content[one : one + length],
    )
    return content


def _numbers(content: bytearray, rng: np.random.Generator, start: int, end: int) -> bytearray:
    """Another number in the place of one that is written as text; bytes where there is none."""
    found = list(re.finditer(rb"-?\d+(\.\d+)?", bytes(content[:end])))
    if start or len(found) < 3:
        return _bytes(content, rng, start, end)
    match = found[int(rng.integers(len(found)))]
    others = (b"0", b"1", b"-1", b"3", b"16", b"65536", b"0.001", b"1e9", b"nan", b"99999999999")
    content[match.start() : match.end()] = others[int(rng.integers(len(others)))]
    return content


DAMAGE: dict[str, Damage] = {
    "bits flipped": _bits,
    "bytes changed": _bytes,
    "cut off": _cut,
    "a piece removed": _removed,
    "a piece repeated": _repeated,
    "two pieces swapped": _swapped,
    "numbers changed": _numbers,
    "more bits flipped": _bits,
    "more bytes changed": _bytes,
}
