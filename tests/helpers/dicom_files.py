# SPDX-License-Identifier: Apache-2.0
"""DICOM series made with pydicom: a volume whose voxels and affine are known, stored in one of many ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

MR, ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1"
PATIENT = {"PatientName": "Doe^Jane", "PatientID": "ID-4711", "PatientBirthDate": "19700203", "StudyDate": "20210304"}
"""What no log, report or name may have."""

Edit = Callable[[Dataset, int], Any]


def stored(shape: tuple[int, int, int] = (20, 18, 17), dtype: str = "<u2", seed: int = 0) -> np.ndarray:
    """A volume without any symmetry: noise upon a ramp."""
    noise = np.random.default_rng(seed).integers(0, 200, shape)
    return (noise + 10 * sum(np.indices(shape))).astype(dtype)


def classic_affine(
    plane: str = "axial", tilts: Sequence[float] = (0, 0, 0), spacing: Sequence[float] = (1.0, 1.2, 2.0)
) -> np.ndarray:
    """Affine (RAS) of columns, rows and slices along their normal, turned about the three axes of space (radians)."""
    axes = {
        "axial": [[-1, 0, 0], [0, -1, 0], [0, 0, 1]],
        "sagittal": [[0, 0, 1], [-1, 0, 0], [0, -1, 0]],
        "coronal": [[-1, 0, 0], [0, 0, -1], [0, -1, 0]],
    }
    matrix = nib.eulerangles.euler2mat(*tilts[::-1]) @ np.array(axes[plane], dtype=float) @ np.diag(spacing)
    return nib.affines.from_matvec(matrix, (-9.0, -11.0, -7.0))


def dicom_affine(affine: np.ndarray) -> tuple[list[str], Callable[[int], list[str]], list[str]]:
    """Orientation, position of slice k, and pixel spacing, as DICOM writes them (LPS; decimals of 16 characters)."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    cosines = lps[:3, :3] / spacing
    orientation = [decimal(value) for value in (*cosines[:, 0], *cosines[:, 1])]
    return (
        orientation,
        lambda k: [decimal(value) for value in lps[:3, 3] + k * lps[:3, 2]],
        [decimal(spacing[1]), decimal(spacing[0])],
    )


def decimal(value: float) -> str:
    """A DS: 16 characters at most."""
    return next(text for digits in range(15, 0, -1) if len(text := f"{value + 0.0:.{digits}g}") <= 16)


def header(sop_class: str, series: int, **tags: Any) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    ds.SOPClassUID = sop_class
    ds.Modality, ds.Manufacturer, ds.MRAcquisitionType = "MR", "ACME", "3D"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    ds.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    ds.SeriesInstanceUID = generate_uid(entropy_srcs=["series", str(series)])
    ds.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame"])
    ds.SeriesNumber, ds.PatientPosition, ds.SeriesDescription = str(series), "HFS", "T1"
    ds.SeriesDate = ds.ContentDate = ds.AcquisitionDate = PATIENT["StudyDate"]
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = ds.AcquisitionTime = "120000"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    for name, value in {**PATIENT, **tags}.items():
        setattr(ds, name, value)
    return ds


def put_pixels(ds: Dataset, pixels: np.ndarray) -> None:
    """Pixels ``(..., rows, columns)``; the byte order of the array is that of the file."""
    ds.Rows, ds.Columns = pixels.shape[-2:]
    ds.BitsAllocated = 8 * pixels.dtype.itemsize
    ds.BitsStored = ds.BitsAllocated
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    ds.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    ds["PixelData"].VR = "OW" if pixels.dtype.itemsize > 1 else "OB"


def save(ds: FileDataset, path: Path) -> None:
    """Write a file; the same slice gets the same identifier again."""
    place = str(ds.get("ImagePositionPatient", ""))
    ds.SOPInstanceUID = generate_uid(
        entropy_srcs=[str(ds.get("SeriesInstanceUID")), place, ds.get("PixelData", b"").hex()]
    )
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    little = ds.file_meta.TransferSyntaxUID != ExplicitVRBigEndian
    implicit = ds.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    dcmwrite(path, ds, implicit_vr=implicit, little_endian=little, enforce_file_format=ds.preamble is not None)


def write_classic(
    folder: Path,
    volume: np.ndarray,
    affine: np.ndarray,
    *,
    series: int = 1,
    name: str = "IM{:04d}",
    skip: Sequence[int] = (),
    edit: Edit | None = None,
    order: Sequence[int] | None = None,
    **tags: Any,
) -> Path:
    """One slice of the last axis a file; ``edit`` changes the data set of slice k before it is written."""
    orientation, position, spacing = dicom_affine(affine)
    for number, k in enumerate(order or range(volume.shape[2])):
        if k in skip:
            continue
        ds = header(MR, series, **tags)
        put_pixels(ds, np.ascontiguousarray(volume[:, :, k].T))
        ds.ImageOrientationPatient, ds.ImagePositionPatient, ds.PixelSpacing = orientation, position(k), spacing
        ds.SliceThickness = decimal(float(np.linalg.norm(affine[:3, 2])))
        ds.InstanceNumber, ds.AcquisitionNumber, ds.EchoTime, ds.RepetitionTime = str(number + 1), "1", "3", "2000"
        if edit:
            edit(ds, k)
        save(ds, folder / name.format(number))
    return folder


def write_enhanced(
    path: Path,
    volumes: Sequence[np.ndarray],
    affine: np.ndarray,
    *,
    series: int = 1,
    frames: Sequence[tuple[int, int]] | None = None,
    edit: Callable[[Dataset, int, int], Any] | None = None,
    **tags: Any,
) -> Path:
    """Several volumes in one file; ``frames`` is their order, (volume, slice); ``edit`` changes a frame's item."""
    orientation, position, spacing = dicom_affine(affine)
    frames = frames or [(v, k) for v in range(len(volumes)) for k in range(volumes[0].shape[2])]
    ds = header(ENHANCED_MR, series, InstanceNumber="1", **tags)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    put_pixels(ds, np.stack([volumes[v][:, :, k].T for v, k in frames]))
    ds.NumberOfFrames = len(frames)
    organisation = generate_uid(entropy_srcs=["dimensions"])
    ds.DimensionOrganizationSequence = items(DimensionOrganizationUID=organisation)
    ds.DimensionIndexSequence = Items(
        [
            item(DimensionOrganizationUID=organisation, DimensionIndexPointer=tag, FunctionalGroupPointer=0x00209111)
            for tag in (0x00209056, 0x00209057, 0x00209128)
        ]
    )
    thickness = decimal(float(np.linalg.norm(affine[:3, 2])))
    ds.SharedFunctionalGroupsSequence = items(
        PlaneOrientationSequence=items(ImageOrientationPatient=orientation),
        PixelMeasuresSequence=items(PixelSpacing=spacing, SliceThickness=thickness, SpacingBetweenSlices=thickness),
    )
    groups = []
    for v, k in frames:
        content = item(StackID="1", InStackPositionNumber=k + 1, TemporalPositionIndex=v + 1)
        content.DimensionIndexValues = [1, k + 1, v + 1]
        group = item(
            FrameContentSequence=Items([content]),
            PlanePositionSequence=items(ImagePositionPatient=position(k)),
            PixelValueTransformationSequence=items(RescaleSlope="1", RescaleIntercept="0", RescaleType="US"),
        )
        if edit:
            edit(group, v, k)
        groups.append(group)
    ds.PerFrameFunctionalGroupsSequence = Items(groups)
    save(ds, path)
    return path


def item(**tags: Any) -> Dataset:
    ds = Dataset()
    for name, value in tags.items():
        setattr(ds, name, value)
    return ds


def items(**tags: Any) -> Items:
    return Items([item(**tags)])


def csa(**fields: Sequence[Any]) -> bytes:
    """A Siemens CSA header (version 2) of decimal fields."""
    blocks = [b"SV10\4\3\2\1" + len(fields).to_bytes(4, "little") + b"\x4d\0\0\0"]
    for name, values in fields.items():
        kind = b"FD\0\0" if isinstance(values[0], float) else b"IS\0\0"
        numbers = [1, 0, 6, 77]  # multiplicity, syngo type, number of items, mark
        blocks.append(name.encode().ljust(64, b"\0") + numbers[0].to_bytes(4, "little") + kind)
        blocks.append(b"".join(n.to_bytes(4, "little") for n in (3 if kind[0] == 70 else 6, max(6, len(values)), 77)))
        for place in range(max(6, len(values))):
            text = f"{values[place]}".encode() + b"\0" if place < len(values) else b""
            blocks.append(b"".join(n.to_bytes(4, "little") for n in (len(text), len(text), 77, len(text))))
            blocks.append(text.ljust(-(-len(text) // 4) * 4, b"\0"))
    return b"".join(blocks)


def write_mosaic(folder: Path, volumes: Sequence[np.ndarray], affine: np.ndarray, series: int = 1) -> Path:
    """Siemens mosaics: the slices of a volume side by side in one file."""
    orientation, _, spacing = dicom_affine(affine)
    columns, rows, slices = volumes[0].shape
    side = int(np.ceil(np.sqrt(slices)))
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    # the position is that of the first pixel if the first slice were as large as the mosaic, with the same centre
    corner = lps[:3, 3] - lps[:3, 0] * columns * (side - 1) / 2 - lps[:3, 1] * rows * (side - 1) / 2
    for number, volume in enumerate(volumes, 1):
        tiles = np.zeros((side * rows, side * columns), volume.dtype)
        for k in range(slices):
            i, j = divmod(k, side)
            tiles[i * rows : (i + 1) * rows, j * columns : (j + 1) * columns] = volume[:, :, k].T
        ds = header(MR, series, Manufacturer="SIEMENS")
        put_pixels(ds, tiles)
        ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
        ds.ImageOrientationPatient, ds.PixelSpacing = orientation, spacing
        ds.ImagePositionPatient = [decimal(value) for value in corner]
        ds.SliceThickness = ds.SpacingBetweenSlices = decimal(float(np.linalg.norm(affine[:3, 2])))
        ds.InstanceNumber = ds.AcquisitionNumber = str(number)
        ds.AcquisitionTime = f"1200{2 * number:02d}"
        ds.EchoTime, ds.RepetitionTime = "3", "2000"
        normal = [float(value) for value in lps[:3, 2] / np.linalg.norm(lps[:3, 2])]
        block = ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
        times = [float(10 * k) for k in range(slices)]
        block.add_new(
            0x10, "OB", csa(NumberOfImagesInMosaic=[slices], SliceNormalVector=normal, MosaicRefAcqTimes=times)
        )
        save(ds, folder / f"M{number:03d}")
    return folder
