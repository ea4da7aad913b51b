# SPDX-License-Identifier: Apache-2.0
"""The slices of a cohort as one array, prepared once and mapped into memory from a file afterwards."""

from __future__ import annotations

import io
import math
import os
import pickle
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from filelock import FileLock
from monai.config import get_config_values
from monai.transforms import Compose
from monai.transforms.traits import RandomizableTrait
from torch import Tensor
from tqdm import tqdm

from ..files.atomic import remove_partial, replacing
from ..files.hashes import content_hash, file_hash
from .cohort import FILE_KEYS

__all__ = ["fingerprint", "prepared_slices", "stacked_slices"]

FORMAT = 1
"""Raise it when slices are padded, rounded or stored in another way."""

CHECKSUM_BYTES = 4


def prepared_slices(
    volumes: Callable[[], Iterator[Tensor]],
    data: Sequence[Mapping[str, Any]],
    transform: Callable[[Any], Any],
    multiple_of: int,
    cache_dir: str | os.PathLike[str],
) -> Tensor:
    """The slices of all volumes, from a file of ``cache_dir`` that is created if it is missing or damaged.

    The file is a ``.npy``, followed by the CRC-32 of all before it. It is mapped, so that processes share its pages and
    a cohort may be larger than the memory. While one process makes it, the others wait for it. A cache stops no
    training: where it cannot be had, a line says why, and the slices are held in memory.

    Args:
        volumes: function that reads the slices of each volume, float16 ``(n, 1, H, W)``, in the order of ``data``.
        data: items of the volumes.
        transform: transform that reads an item.
        multiple_of: divisor of height and width.
        cache_dir: folder of the file, created if it is missing; if empty, nothing is kept.

    Returns:
        float16 ``(N, 1, H, W)``: all volumes padded with zeros, centred, to the largest.
    """
    if not cache_dir:
        return stacked_slices(volumes(), multiple_of)
    try:
        name = fingerprint(data, transform, multiple_of)
    except Exception as error:  # transforms of any kind may be given, and pickling them may fail in any way
        return _in_memory(volumes, multiple_of, f"what they are made from has no fingerprint ({error})")
    try:
        return _opened_or_made(Path(cache_dir) / f"slices-{name}.npy", volumes, multiple_of)
    except OSError as error:
        return _in_memory(volumes, multiple_of, str(error))


def fingerprint(data: Sequence[Mapping[str, Any]], transform: Callable[[Any], Any], multiple_of: int) -> str:
    """A name for all that determines the slices, the same in every process.

    That is the items with size and time of change of their files (the sha256 of an item is that of the day on which the
    cohort was prepared), the transform with its arguments, the source of the modules that it comes from, and the
    versions of MONAI, torch and numpy.

    Args:
        data: items that JSON can hold.
        transform: one that pickle can hold, without chance.
        multiple_of: see :func:`prepared_slices`.

    Returns:
        16 hexadecimal digits.

    Raises:
        TypeError: an item or the transform cannot be written down.
        ValueError: the transform is random.
        OSError: a file is missing.
    """
    pickled = io.BytesIO()
    pickler = _TransformPickler(pickled)
    pickler.dump(transform)
    sources = [getattr(sys.modules[name], "__file__", None) for name in sorted(pickler.modules)]
    files = [Path(item[key]).stat() for item in data for key in FILE_KEYS if key in item]
    return content_hash(
        {
            "format": [FORMAT, multiple_of, *get_config_values().items()],
            "transform": pickled.getvalue().hex(),
            "sources": [file_hash(Path(source)) for source in sources if source],
            "files": [(file.st_size, file.st_mtime_ns) for file in files],
            "items": data,
        }
    )


class _TransformPickler(pickle.Pickler):
    """Writes a transform down, and remembers the modules of the classes and functions that it is made of."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=4)
        self.modules: set[str] = set()

    def persistent_id(self, part: Any) -> str | None:
        """Called by pickle with every part; what it returns, if anything, is written in place of the part."""
        if isinstance(part, np.random.RandomState):
            return "random state"  # every Compose has one, for transforms that are random
        if isinstance(part, RandomizableTrait) and type(part) is not Compose:
            raise ValueError(f"{type(part).__name__} is random")
        if isinstance(part, type | FunctionType):
            self.modules.add(part.__module__)
        return None


def stacked_slices(volumes: Iterator[Tensor], multiple_of: int) -> Tensor:
    """The same as :func:`prepared_slices`, in memory."""
    held = list(volumes)
    size = _common_size([volume.shape for volume in held], multiple_of)
    return torch.cat([_centre_pad(volume, size) for volume in held])


def _in_memory(volumes: Callable[[], Iterator[Tensor]], multiple_of: int, reason: str) -> Tensor:
    tqdm.write(f"slices are held in memory, not kept for the next run: {reason}", file=sys.stderr)
    return stacked_slices(volumes(), multiple_of)


def _opened_or_made(path: Path, volumes: Callable[[], Iterator[Tensor]], multiple_of: int) -> Tensor:
    try:
        return _opened(path)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    except ValueError:
        tqdm.write(f"{path} is damaged: it is made again.", file=sys.stderr)
    with FileLock(path.with_name(f".{path.name}.lock")):
        remove_partial(path.parent, f".partial-*-{path.name}")
        try:
            return _opened(path)  # another process made it meanwhile
        except (FileNotFoundError, ValueError):
            _write(path, volumes(), multiple_of)
            return _opened(path)


def _opened(path: Path) -> Tensor:
    """Map a file; ``ValueError`` where it is damaged."""
    content = np.memmap(path, dtype=np.uint8, mode="c")  # copy on write: torch wants arrays that it could write to
    if zlib.crc32(content[:-CHECKSUM_BYTES].data) != int.from_bytes(content[-CHECKSUM_BYTES:].data):
        raise ValueError("the checksum is not that of the content")
    return torch.from_numpy(np.load(path, mmap_mode="c"))


def _write(path: Path, volumes: Iterator[Tensor], multiple_of: int) -> None:
    """Write volumes one by one: first as they are, then, when the largest is known, padded."""
    with replacing(path) as partial, partial.open("wb") as file, tempfile.TemporaryFile(dir=path.parent) as unpadded:
        shapes = []
        for volume in volumes:
            unpadded.write(volume.numpy().data)
            shapes.append(volume.shape)
        unpadded.seek(0)
        checksum = 0
        for part in _content(unpadded, shapes, multiple_of):
            checksum = zlib.crc32(part, checksum)
            file.write(part)
        file.write(checksum.to_bytes(CHECKSUM_BYTES))


def _content(unpadded: Any, shapes: Sequence[Sequence[int]], multiple_of: int) -> Iterator[memoryview]:
    """The parts of a ``.npy`` file: a header, and the padded slices of each volume."""
    size = _common_size(shapes, multiple_of)
    header = io.BytesIO()
    total = (sum(shape[0] for shape in shapes), 1, *size)
    description = {"descr": np.dtype(np.float16).str, "fortran_order": False, "shape": total}
    np.lib.format.write_array_header_1_0(header, description)
    yield header.getbuffer()
    for shape in shapes:
        volume = np.fromfile(unpadded, np.float16, math.prod(shape)).reshape(shape)
        yield _centre_pad(torch.from_numpy(volume), size).numpy().data


def _common_size(shapes: Sequence[Sequence[int]], multiple_of: int) -> tuple[int, int]:
    """Height and width of the largest, rounded up."""
    height, width = (-(-max(shape[axis] for shape in shapes) // multiple_of) * multiple_of for axis in (2, 3))
    return height, width


def _centre_pad(slices: Tensor, size: tuple[int, int]) -> Tensor:
    rows, columns = size[0] - slices.shape[2], size[1] - slices.shape[3]
    return F.pad(slices, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
