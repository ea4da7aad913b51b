# SPDX-License-Identifier: Apache-2.0
"""Bytes of files whose length and checksums are right: readers of images look at neither."""

from __future__ import annotations

import gzip
import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

try:
    from isal import igzip, igzip_lib  # six times as fast as zlib
except ImportError:
    igzip = igzip_lib = None  # type: ignore[assignment]
has_igzip = igzip is not None

__all__ = ["MemoryCheck", "check_file", "check_length", "check_zip", "open_checked", "read_exactly", "unpacked"]

GZIP = b"\x1f\x8b"
NO_IMAGES = {
    b"version https://git-lfs": "it is a pointer of Git LFS, whose content was not fetched: run git lfs pull.",
    b"/annex/objects/": "it is a pointer of git-annex, whose content was not fetched: run datalad get.",
    b"<!doctype": "it is a web page, as where a download needs a login: download it again.",
    b"<html": "it is a web page, as where a download needs a login: download it again.",
    b"<?xml": "it is an answer of a server, as where a download failed: download it again.",
}
"""How files begin that only have the name of an image, and what they are."""
CHUNK = 2**20
DAMAGED: Any = (OSError, zlib.error, *([igzip_lib.IsalError] if igzip_lib is not None else []))


def check_file(path: Path) -> None:
    """Refuse what is no file, without opening it: to open a named pipe would be to wait for ever.

    Args:
        path: the file.

    Raises:
        ValueError: it is a named pipe, a socket or a device, or it is empty.
        OSError: it does not exist, or cannot be looked at.
    """
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise ValueError("it is no file but a folder, named pipe, socket or device: give a file.")
    if not state.st_size:
        raise ValueError("the file is empty.")


@contextmanager
def open_checked(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, decompressed where its content is compressed by gzip, whatever its name.

    Args:
        path: the file.

    Yields:
        The stream; errors of the decompression in the block become a ``ValueError`` of one line.

    Raises:
        ValueError: it is no file, see :func:`check_file`; the compressed data are damaged.
        OSError: it cannot be opened or read.
    """
    check_file(path)
    with path.open("rb") as raw, _told(path):
        start = raw.read(64)
        raw.seek(0)
        if start[:2] != GZIP:
            if what := next((what for begin, what in NO_IMAGES.items() if start.lower().startswith(begin)), ""):
                raise ValueError(what)
            if path.name.lower().endswith((".gz", ".mgz")):
                raise ValueError("the file is not compressed as its name says, or is damaged.")
            yield raw
        else:
            yield _gzip_file(raw)


def _gzip_file(raw: BinaryIO) -> BinaryIO:
    stream: Any = (igzip.IGzipFile if has_igzip else gzip.GzipFile)(fileobj=raw, mode="rb")
    return stream


@contextmanager
def _told(path: Path | None = None) -> Iterator[None]:
    """Let the errors of a decompression say what is wrong."""
    try:
        yield
    except EOFError:
        if path is not None and (number := _bytes_behind(path)):
            raise ValueError(
                f"{number} bytes follow the end of the compressed data: copy the file again, or cut them off."
            ) from None
        raise ValueError("the file is truncated: it ends before its data do.") from None
    except DAMAGED as error:
        if isinstance(error, OSError) and (error.errno or type(error) not in (OSError, gzip.BadGzipFile)):
            raise  # of the file system
        raise ValueError(f"the compressed file is damaged ({error}): copy it again.") from None


def _bytes_behind(path: Path) -> int:
    """How many bytes follow the first whole part of a gzip file."""
    inflate = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    with path.open("rb") as raw, suppress(zlib.error):
        while not inflate.eof and (part := raw.read(CHUNK)):
            while part and not inflate.eof:
                inflate.decompress(part, CHUNK)
                part = inflate.unconsumed_tail
        return path.stat().st_size - raw.tell() + len(inflate.unused_data) if inflate.eof else 0
    return 0


def read_exactly(stream: BinaryIO, count: int, more: int = 0) -> bytes:
    """Read the rest of a stream to its end, where the checksum of compressed data is.

    Args:
        stream: stream of :func:`open_checked`.
        count: bytes that there must be.
        more: bytes that there may be beyond.

    Returns:
        The bytes.

    Raises:
        ValueError: there are fewer or more; nothing beyond is read.
    """
    parts, wanted = [], count + more + 1
    while wanted > 0 and (part := stream.read(min(wanted, 64 * CHUNK))):
        parts.append(part)
        wanted -= len(part)
    content = parts[0] if len(parts) == 1 else b"".join(parts)
    check_length(len(content), count, more)
    return content


def check_length(have: int, count: int, more: int = 0) -> None:
    """Refuse data of another length than their header says.

    Args:
        have: bytes that there are.
        count: bytes that there must be.
        more: bytes that there may be beyond.

    Raises:
        ValueError: there are fewer or more.
    """
    if have < count:
        raise ValueError("the file is truncated: it ends before its data do.")
    if have > count + more:
        raise ValueError("the file is longer than its header says: one of the two is wrong. Write it again.")


def unpacked(data: bytes, encoding: str, count: int) -> None:
    """Check that compressed data have a length and a right checksum, without keeping them.

    Args:
        data: the compressed bytes.
        encoding: "zlib" or "gzip".
        count: bytes that they must be without compression.

    Raises:
        ValueError: they are damaged, or of another length.
    """
    with _told():
        stream: Any = _ZlibStream(data) if encoding == "zlib" else _gzip_file(io.BytesIO(data))
        read_exactly(stream, count)


class _ZlibStream:
    """Reads zlib's own format, which ends with a checksum."""

    def __init__(self, data: bytes) -> None:
        self.decompressor = zlib.decompressobj()
        self.rest = data

    def read(self, size: int) -> bytes:
        part = self.decompressor.decompress(self.rest, size)
        self.rest = self.decompressor.unconsumed_tail
        if not part and not self.decompressor.eof:
            raise EOFError
        return part


def check_zip(path: str | Path) -> None:
    """Refuse a file of PyTorch whose checksums are wrong; PyTorch reads past them.

    Args:
        path: file that ``torch.save`` wrote.

    Raises:
        ValueError: it is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        damaged = str(error) or type(error).__name__
    if damaged:
        raise ValueError(f"{path} is damaged, or was not written by torch.save ({damaged}): copy it again.")


class MemoryCheck:
    """Refuses an image before its memory is taken.

    Args:
        gigabytes: the most that may be needed.
    """

    PER_VOXEL = 40
    """Bytes that restoring a voxel takes, the libraries' own memory not counted; 30 were measured with 33 million."""

    def __init__(self, gigabytes: float) -> None:
        if not gigabytes > 0:
            raise ValueError(f"max_memory must be a positive number of gigabytes, got {gigabytes}.")
        self.gigabytes = gigabytes

    def __call__(self, voxels: float, what: str = "it") -> None:
        """Raise where so many voxels need more.

        Args:
            voxels: their number.
            what: what needs the memory, for the message.

        Raises:
            ValueError: they do.
        """
        needed = self.PER_VOXEL * voxels / 1e9
        if needed > self.gigabytes:
            raise ValueError(
                f"{what} needs about {needed:.3g} GB of memory, more than max_memory ({self.gigabytes:g} GB) allows. "
                "Is its header right? Then raise --max_memory."
            )
