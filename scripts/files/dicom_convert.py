# SPDX-License-Identifier: Apache-2.0
"""A DICOM series as NIfTI images: converted by dcm2niix, or where that is missing by ITK.

Both are wrong without a word now and then: dcm2niix mixes the volumes of enhanced files of some vendors, and ignores
missing frames; ITK takes the first slice's scale for all. So the result is compared with the files, and where it is
another, the next way is tried.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from threading import Timer
from typing import TypeAlias

import nibabel as nib
import numpy as np

from .child import limit_memory
from .dicom_check import confirmed
from .dicom_headers import Header, pixel_bytes
from .dicom_itk import itk_answer
from .dicom_volumes import SeriesVolume

__all__ = ["convert", "refused"]

REMEDY = "pip install 'brain-mri-autoencoders[dicom]'"
OPTIONS = ["-g", "i", "-b", "n", "-z", "n", "-x", "i", "-l", "o", "-w", "2", "-d", "0", "-f", "volume"]
"""No user's defaults, no sidecars, no compression, neither cropped nor turned, types as stored."""
REASONS = {
    "Interslice distance varies": "the slices are not evenly spaced: some are missing or doubled.",
    "slice orientation varies": "its slices lie in several directions, as those of a localiser: they make no volume.",
    "not large enough": "a file is truncated: it ends before its pixels do.",
    "decode": "its compression is unknown or its data are damaged: decompress it first, with gdcmconv --raw.",
    "OpenJPEG failed": "its compressed data are damaged.",
}
"""What dcm2niix says, and what it means."""
NOT_A_COPY = ("_Eq", "_Tilt")
"""Endings of volumes that dcm2niix has interpolated."""
IN_STACK_POSITION = 0x00209057
KEPT_GROUPS, KEPT = (0x0020, 0x0028, 0x5200, 0x7FE0), (0x00080008, 0x00080016, 0x00080018, 0x00080060)
"""Of an enhanced file that is written anew: relations, pixels and frames, and that it is an MR image; no patient."""
BYTES = 4
"""Of a voxel of the result, at most."""


_Way: TypeAlias = Callable[[Path, Sequence[Header], Sequence[SeriesVolume]], list[Path]]
"""From a folder for temporary files, the headers and the expected volumes to NIfTI files."""


def refused(headers: Sequence[Header], volumes: Sequence[SeriesVolume]) -> str:
    """Why nothing that is installed can convert a series; "" where something can.

    Args:
        headers: of its files.
        volumes: those that it has by its headers.
    """
    enhanced = headers[0].enhanced
    if find_spec("dcm2niix") and (find_spec("pydicom") or not enhanced):
        return ""
    if not find_spec("itk"):
        return f"DICOM needs the packages dcm2niix and pydicom: {REMEDY}."
    kind = _beyond_itk(headers, volumes)
    return f"{kind} need the package {'pydicom' if find_spec('dcm2niix') else 'dcm2niix'}: {REMEDY}." if kind else ""


def _beyond_itk(headers: Sequence[Header], volumes: Sequence[SeriesVolume]) -> str:
    """What a series is that ITK reads wrongly; "" where it reads it rightly."""
    scales = {(frame.slope, frame.intercept) for header in headers for frame in header.frames}
    kinds = {
        "mosaics": headers[0].mosaic,
        "enhanced files": headers[0].enhanced,
        "series of several volumes": len(volumes) > 1,
        "slopes that differ between slices": len(scales) > 1,
        f"pixels of {headers[0].photometric or 'no known kind'}": headers[0].photometric != "MONOCHROME2",
    }
    return next((kind for kind, present in kinds.items() if present), "")


def convert(headers: Sequence[Header], volumes: Sequence[SeriesVolume]) -> list[nib.Nifti1Image]:
    """Convert a series.

    Args:
        headers: of its files.
        volumes: those that it has by its headers, from :func:`~scripts.files.dicom_volumes.volumes_of`.

    Returns:
        One image a volume: axes columns, rows, slices along their normal; values as the other DICOM readers show them;
        a header without description.

    Raises:
        ValueError: it cannot be converted, or the result is not what the headers say; one line.
        OSError: the temporary folder is full, or a file has disappeared.
    """
    needed = BYTES * sum(map(pixel_bytes, headers))
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if needed > free:
        raise ValueError(
            f"converting it takes {needed / 1e9:.3g} GB of {tempfile.gettempdir()}, which has {free / 1e9:.3g} GB: "
            "set TMPDIR to another folder."
        )
    problem: ValueError | None = None
    for run in _ways(headers, volumes):
        with tempfile.TemporaryDirectory(prefix="dicom-") as name:
            try:
                return confirmed(run(Path(name), headers, volumes), headers, volumes)
            except ValueError as error:
                problem = problem or error
    raise problem or ValueError("nothing can convert it.")


def _folder_of(headers: Sequence[Header], place: Path) -> Path:
    """A folder with these files and no others: their own or, in ``place``, one of links.

    Where a file begins with group 2 without a preamble, a copy has one: dcm2niix needs it.
    """
    own = headers[0].file.parent
    bare = [header for header in headers if header.bare]
    if not bare and {header.file for header in headers} == set(own.iterdir()):
        return own
    place.mkdir()
    for number, header in enumerate(headers):
        link = place / f"{number:06d}.dcm"
        if header.bare:
            link.write_bytes(bytes(128) + b"DICM" + header.file.read_bytes())
        else:
            link.symlink_to(header.file.resolve())
    return place


def _ways(headers: Sequence[Header], volumes: Sequence[SeriesVolume]) -> Iterator[_Way]:
    """What may convert a series, best first; the next is tried where a result is not what the headers say."""
    if find_spec("dcm2niix"):
        yield _as_displayed
        yield _as_scaled
    if find_spec("dcm2niix") and (headers[0].enhanced or len(volumes) > 1) and not headers[0].mosaic:
        yield _one_by_one
    if find_spec("itk") and not _beyond_itk(headers, volumes):
        yield _by_itk  # which knows a few more compressions


def _by_itk(scratch: Path, headers: Sequence[Header], volumes: Sequence[SeriesVolume]) -> list[Path]:
    target = scratch / "volume.nii"
    itk_answer("convert", str(_folder_of(headers, scratch / "in")), str(target), seconds=_seconds(headers))
    return [target]


def _as_displayed(scratch: Path, headers: Sequence[Header], volumes: Sequence[SeriesVolume]) -> list[Path]:
    """By dcm2niix, for Philips in the units that all readers show; of other vendors slices of one slope only."""
    return _by_dcm2niix("n", _folder_of(headers, scratch / "in"), scratch, headers)


def _as_scaled(scratch: Path, headers: Sequence[Header], volumes: Sequence[SeriesVolume]) -> list[Path]:
    """By dcm2niix, with the slope of each slice; Philips in units of its own."""
    return _by_dcm2niix("y", _folder_of(headers, scratch / "in"), scratch, headers)


def _one_by_one(scratch: Path, headers: Sequence[Header], volumes: Sequence[SeriesVolume]) -> list[Path]:
    """By dcm2niix, from the files of each volume; enhanced ones written anew, in order and of no known vendor."""
    folders = [scratch / f"volume-{number}" for number in range(len(volumes))]
    if headers[0].enhanced:
        try:
            _write_in_order(folders, headers, volumes)
        except Exception:  # whatever a damaged file makes of it
            raise ValueError("its frames are damaged.") from None
    else:
        folders = [
            _folder_of([headers[index] for index in volume.slices], folder)
            for folder, volume in zip(folders, volumes, strict=True)
        ]
    outputs: list[Path] = []
    for number, folder in enumerate(folders):  # not in one run: there, a file gets the scale of the one before
        target = scratch / f"converted-{number}"
        target.mkdir()
        outputs += _by_dcm2niix("y", folder, target, headers)
    return outputs


def _write_in_order(folders: Sequence[Path], headers: Sequence[Header], volumes: Sequence[SeriesVolume]) -> None:
    from pydicom import Dataset, dcmread
    from pydicom.uid import ExplicitVRLittleEndian

    data = [dcmread(header.file) for header in headers]
    groups = [group for part in data for group in part.PerFrameFunctionalGroupsSequence]
    shape = headers[0].size[1::-1]
    pixels = np.concatenate([part.pixel_array.reshape(-1, *shape) for part in data])
    one = data[0]
    for tag in [tag for tag in one.keys() if tag.group not in KEPT_GROUPS and tag not in KEPT]:  # noqa: SIM118
        del one[tag]
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.DimensionIndexSequence = [Dataset()]
    one.DimensionIndexSequence[0].DimensionIndexPointer = IN_STACK_POSITION
    for folder, volume in zip(folders, volumes, strict=True):
        one.NumberOfFrames = len(volume.slices)
        one.PixelData = pixels[list(volume.slices)].tobytes()
        one.PerFrameFunctionalGroupsSequence = [groups[index] for index in volume.slices]
        for place, group in enumerate(one.PerFrameFunctionalGroupsSequence):
            group.FrameContentSequence = [Dataset()]
            group.FrameContentSequence[0].DimensionIndexValues = place + 1
        folder.mkdir()
        one.save_as(folder / "volume.dcm")


def _by_dcm2niix(scaling: str, source: Path, target: Path, headers: Sequence[Header]) -> list[Path]:
    import dcm2niix

    command = [dcm2niix.bin, *OPTIONS, "-p", scaling, "-o", str(target), str(source)]
    with (target / "log").open("w+b") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        limit_memory(process.pid, 2**30 + 4 * BYTES * sum(map(pixel_bytes, headers)))
        watch = Timer(_seconds(headers), process.kill)  # to wait with a timeout would be to poll
        watch.start()
        try:
            status = process.wait()
        finally:
            in_time = watch.is_alive()
            watch.cancel()
            process.kill()  # this process was interrupted
            process.wait()
        if not in_time:
            raise TimeoutError(f"dcm2niix does not end within {_seconds(headers):.0f} s.")
        log.seek(0)
        text = log.read(2**20).decode("latin-1")
    outputs = sorted(file for file in target.glob("*.nii") if "_ROI" not in file.name)
    if "is being ignored" in text or (scaling == "y" and "Philips Scaling Values" in text):
        raise ValueError("the slopes of its slices differ in a way that dcm2niix cannot follow.")
    reasons = (reason for phrase, reason in REASONS.items() if phrase in text)
    if status or not outputs or any(file.stem.partition("volume")[2].endswith(NOT_A_COPY) for file in outputs):
        raise ValueError(next(reasons, f"dcm2niix cannot convert it (exit status {status})."))
    return outputs


def _seconds(headers: Sequence[Header]) -> float:
    return 60 + sum(map(pixel_bytes, headers)) / 1e6
