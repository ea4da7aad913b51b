# SPDX-License-Identifier: Apache-2.0
"""What the headers of DICOM files say about their slices, read by pydicom or, where that is missing, by ITK.

Nothing about the patient is kept, so nothing of it can reach a log, a report or a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from .dicom_itk import itk_answer

__all__ = ["Frame", "Header", "is_dicom", "pixel_bytes", "read_headers"]

SUFFIXES = (".dcm", ".dicom", ".ima")
WITHOUT_PREAMBLE = re.compile(rb"[\x02\x08]\x00[\x00-\x20]\x00(?:[A-Z]{2}|[\x00-\x40]\x00\x00\x00)")
"""First element of a file without preamble: of group 2 or 8, little-endian, with a type or a small length."""

IMAGE_CLASS = re.compile(r"1\.2\.840\.10008\.5\.1\.4\.1\.1\.(?!4\.2$)(?:1|2|3|4|6|7|12|13|20|77|128|130)(?:\.\d+)*")
"""Storage classes of images; MR spectroscopy (4.2) is none."""
ENHANCED_CLASS = re.compile(r"1\.2\.840\.10008\.5\.1\.4\.1\.1\.(?:2\.[12]|4\.[134]|128\.1|130)")
"""Those of which each frame has a place of its own."""
NO_IMAGES = ("SR", "PR", "KO", "DOC", "AU", "ECG", "PLAN")
"""Modalities of reports and the like."""

TAGS = {
    "media_class": 0x00020002, "syntax": 0x00020010, "image_type": 0x00080008, "sop_class": 0x00080016,
    "instance": 0x00080018, "modality": 0x00080060, "echo_time": 0x00180081, "echo": 0x00180086,
    "study": 0x0020000D, "series": 0x0020000E, "series_number": 0x00200011, "number": 0x00200013,
    "position": 0x00200032, "orientation": 0x00200037, "samples": 0x00280002, "photometric": 0x00280004,
    "frames": 0x00280008, "rows": 0x00280010, "columns": 0x00280011, "spacing": 0x00280030,
    "bits": 0x00280100, "intercept": 0x00281052, "slope": 0x00281053,
}  # fmt: skip
BINARY = ("samples", "rows", "columns", "bits")
"""Those that are numbers of two bytes, not text."""
UNCOMPRESSED = ("", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")
DEFLATED = b"1.2.840.10008.1.2.1.99"
MOST_DEFLATED = 2**21
"""Bytes of a file that is compressed as a whole, and so must be expanded, up to a thousandfold, to see its header."""
ALONG_SLICES = (0x00209057, 0x00200032, 0x00201041)
"""Dimensions of an enhanced file that say where a slice lies, not to which volume it belongs."""


class Frame(NamedTuple):
    """One slice: where it lies (DICOM coordinates, LPS), its scale, and what tells its volume from others."""

    orientation: tuple[float, ...]
    position: tuple[float, ...]
    spacing: tuple[float, ...]
    slope: float
    intercept: float
    label: tuple[str, ...]


@dataclass(frozen=True)
class Header:
    """What is used of the header of one file with images."""

    file: Path
    instance: str
    series: str
    series_number: str
    number: int | None
    syntax: str
    photometric: str
    mosaic: bool
    enhanced: bool
    size: tuple[int, int, int, int]  # columns, rows, samples a pixel, bits
    frames: tuple[Frame, ...]
    count: int  # of frames, also where nothing describes them
    bare: bool  # without preamble, though not without a header of the file itself
    start: int  # bytes of the file before its pixels, at least

    @property
    def compressed(self) -> bool:
        """Whether the pixels are; the length of the file then says nothing of their number."""
        return self.syntax not in UNCOMPRESSED


def pixel_bytes(header: Header) -> int:
    """Number of bytes of the pixels of a file, not compressed."""
    columns, rows, samples, bits = header.size
    return -(-columns * rows * samples * bits * header.count // 8)


def is_dicom(path: Path) -> bool:
    """Tell by the name, by the mark at byte 128 or by the first element; a file that cannot be read is none."""
    start = _start(path)
    return _claims_to_be(path, start) or WITHOUT_PREAMBLE.match(start) is not None


def _claims_to_be(path: Path, start: bytes) -> bool:
    return path.suffix.lower() in SUFFIXES or start[128:] == b"DICM"


def _start(path: Path, length: int = 132) -> bytes:
    """First bytes of a file; none of what is no file: to open a named pipe would be to wait."""
    try:
        with path.open("rb") if path.is_file() else BytesIO() as file:
            return file.read(length)
    except OSError:
        return b""


def read_headers(files: Sequence[Path]) -> tuple[list[Header], list[Path], int]:
    """Read the headers of files that may be DICOM.

    Args:
        files: files for which :func:`is_dicom` holds.

    Returns:
        Headers of the files with images, files that are damaged or no DICOM, and the number of those without images
        (directories, reports).

    Raises:
        ModuleNotFoundError: neither pydicom nor itk is installed.
    """
    headers: list[Header] = []
    regular = [file for file in files if file.is_file()]
    unreadable = [file for file in files if not file.is_file()]
    without = 0
    for file, tags in zip(regular, _tags_of(regular), strict=True):
        try:
            header = _header(file, tags)
        except (ValueError, OverflowError):
            header = None
        if header:
            headers.append(header)
        elif _has_no_images(tags):
            without += 1
        elif _claims_to_be(file, _start(file)):
            unreadable.append(file)
    return headers, unreadable, without


def _has_no_images(tags: Mapping[str, str]) -> bool:
    """Whether a file is whole without images: a directory, a report."""
    sop_class = _sop_class(tags)
    return tags.get("modality") in NO_IMAGES or bool(sop_class and not IMAGE_CLASS.fullmatch(sop_class))


def _sop_class(tags: Mapping[str, str]) -> str:
    return tags.get("sop_class") or tags.get("media_class", "")


def _header(file: Path, tags: Mapping[str, str]) -> Header | None:
    """The header of a file with images, None for another."""
    columns, rows = (int(tags.get(name) or 0) for name in ("columns", "rows"))
    if columns < 1 or rows < 1:
        return None
    count = max(1, int(float(tags.get("frames") or 1)))
    enhanced = count > 1 or ENHANCED_CLASS.fullmatch(_sop_class(tags)) is not None
    number = tags.get("number", "")
    return Header(
        file=file,
        instance=tags.get("instance", ""),
        series=tags.get("series") or f"{tags.get('study', '')} {tags.get('series_number', '')}",
        series_number=tags.get("series_number", ""),
        number=int(number) if re.fullmatch(r"[+-]?\d{1,12}", number) else None,
        syntax=tags.get("syntax", ""),
        photometric=tags.get("photometric", ""),
        mosaic="MOSAIC" in tags.get("image_type", ""),
        enhanced=enhanced,
        size=(columns, rows, int(tags.get("samples") or 1), int(tags.get("bits") or 16)),
        frames=_described_frames(file, count) if enhanced else (_frame(tags),),
        count=count,
        bare="bare" in tags,
        start=int(tags.get("read", 0)),
    )


def _frame(tags: Mapping[str, str]) -> Frame:
    """The only slice of a classic file."""
    names = ("orientation", "position", "spacing")
    orientation, position, spacing = (
        tuple(float(part) for part in tags.get(name, "").split("\\") if part.strip()) for name in names
    )
    label = tuple(tags.get(name, "") for name in ("series_number", "echo_time", "echo", "image_type"))
    scale = (float(tags.get("slope") or 1), float(tags.get("intercept") or 0))
    return Frame(orientation, position, spacing, *scale, label)


def _tags_of(files: Sequence[Path]) -> Iterator[dict[str, str]]:
    """The values of :data:`TAGS` in each file, as text; none for what cannot be read."""
    if find_spec("pydicom"):
        yield from map(_pydicom_tags, files)
        return
    yield from _itk_tags([str(file) for file in files])


def _itk_tags(files: list[str]) -> Iterator[dict[str, str]]:
    names = {f"{tag >> 16:04x}|{tag & 0xFFFF:04x}": name for name, tag in TAGS.items()}
    try:
        answer = itk_answer("headers", files, list(names))
    except ValueError:  # one of them is too much for ITK
        middle = len(files) // 2
        yield from [{}] if middle == 0 else [*_itk_tags(files[:middle]), *_itk_tags(files[middle:])]
    else:
        for file, values in zip(files, answer, strict=True):
            yield {**_file_meta(Path(file)), **{names[key]: value.strip(" \0") for key, value in values.items()}}


def _file_meta(file: Path) -> dict[str, str]:
    """Class and transfer syntax, which ITK does not tell."""
    start = _start(file, 1024)
    found = {
        name: re.search(rb"\x02\0" + TAGS[name].to_bytes(4, "little")[:2] + rb"UI..([0-9.]+)", start, re.DOTALL)
        for name in ("media_class", "syntax")
    }
    return {name: match[1].decode() for name, match in found.items() if match}


def _pydicom_tags(file: Path) -> dict[str, str]:
    from pydicom.filereader import read_partial

    names = {tag: name for name, tag in TAGS.items()}
    last = max(names)
    if DEFLATED in _start(file, 512) and file.stat().st_size > MOST_DEFLATED:
        return {}
    try:
        with file.open("rb") as stream:
            data = read_partial(stream, lambda tag, vr, length: tag > last, specific_tags=list(names), force=True)
            read = stream.tell()
        elements = [source.get_item(tag) for source in (data.file_meta, data) for tag in source.keys()]  # noqa: SIM118
    except Exception:  # whatever a damaged file makes of it
        return {}
    if any(isinstance(item.value, bytes) and len(item.value) < getattr(item, "length", 0) for item in elements):
        return {}  # the file ends within its header
    tags = {name: _text(name, element) for element in elements if (name := names.get(int(element.tag)))}
    bare = {"bare": "yes"} if data.preamble is None and "syntax" in tags else {}
    return {**tags, **bare, "read": str(read)}


def _text(name: str, element: Any) -> str:
    """Value of an element as it is in the file, as text."""
    value = element.value
    if name in BINARY and isinstance(value, bytes):
        return str(int.from_bytes(value[:2], "little" if element.is_little_endian else "big"))
    return value.decode("latin-1").strip(" \0") if isinstance(value, bytes) else str(value or "")


def _described_frames(file: Path, count: int) -> tuple[Frame, ...]:
    """The frames of an enhanced file; none where nothing describes them, or pydicom is missing.

    Files of several frames are volumes of their own.
    """
    if not find_spec("pydicom"):
        return ()
    from pydicom import dcmread

    try:
        data = dcmread(file, stop_before_pixels=True, force=True)
        shared = data.SharedFunctionalGroupsSequence[0]
        pointers = [int(item.DimensionIndexPointer) for item in data.get("DimensionIndexSequence", ())]
        of_file = (file.name,) if count > 1 else ()
        groups = data.PerFrameFunctionalGroupsSequence
        return tuple(_enhanced_frame(group, shared, pointers, of_file) for group in groups)
    except Exception:  # a group or a value is missing, or is none
        return ()


def _enhanced_frame(group: Any, shared: Any, pointers: Sequence[int], of_file: tuple[str, ...]) -> Frame:
    def value(sequence: str, name: str, default: Any) -> Any:
        """Of the frame's own group, or else of the shared one."""
        found = (source[sequence].value[0].get(name) for source in (group, shared) if sequence in source)
        return next((item for item in found if item is not None), default)

    def numbers(sequence: str, name: str) -> tuple[float, ...]:
        return tuple(float(part) for part in value(sequence, name, ()))

    indices = value("FrameContentSequence", "DimensionIndexValues", ())
    indices = [indices] if isinstance(indices, int) else list(indices or ())
    label = [index for index, pointer in zip(indices, pointers, strict=False) if pointer not in ALONG_SLICES]
    if not label:
        label = [value("FrameContentSequence", "TemporalPositionIndex", 0)]
    return Frame(
        numbers("PlaneOrientationSequence", "ImageOrientationPatient"),
        numbers("PlanePositionSequence", "ImagePositionPatient"),
        numbers("PixelMeasuresSequence", "PixelSpacing"),
        float(value("PixelValueTransformationSequence", "RescaleSlope", 1)),
        float(value("PixelValueTransformationSequence", "RescaleIntercept", 0)),
        (
            *of_file,
            *map(str, label),
            str(value("MREchoSequence", "EffectiveEchoTime", "")),
            str(value("MRImageFrameTypeSequence", "FrameType", "")),
            str(value("MRImageFrameTypeSequence", "ComplexImageComponent", "")),
        ),
    )
