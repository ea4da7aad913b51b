# SPDX-License-Identifier: Apache-2.0
"""Kinds of DICOM series, each as a function that writes one and gives its volumes and their affine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

import itk
import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

from tests.helpers.dicom_files import Edit, classic_affine, items, stored, write_classic, write_enhanced, write_mosaic

Kind: TypeAlias = Callable[[Path], tuple[list[np.ndarray], np.ndarray]]

AXIAL = classic_affine()
OBLIQUE = classic_affine(tilts=(0.3, 0.0, 0.2), spacing=(1.3, 0.9, 1.7))
SLICES = 17
ORDER = [int(k) for k in np.random.default_rng(0).permutation(SLICES)]
VENDORS = ("ACME", "SIEMENS", "GE MEDICAL SYSTEMS", "Philips Medical Systems")
"""dcm2niix treats each in its own way."""
SLOPES = 1 + 0.25 * np.arange(SLICES)


def one(folder: Path, volume: np.ndarray | None = None, affine: np.ndarray = OBLIQUE, **options: Any) -> Any:
    """A classic series; ``finish`` changes each file after it was written."""
    volume, finish = stored() if volume is None else volume, options.pop("finish", None)
    write_classic(folder, volume, affine, **options)
    for file in sorted(folder.iterdir()) if finish else ():
        finish(file)
    return [volume], affine


def setting(**tags: Any) -> Edit:
    """Set tags of each slice; a function is given its number."""

    def edit(ds: Dataset, k: int) -> None:
        for name, value in tags.items():
            setattr(ds, name, value(k) if callable(value) else value)

    return edit


def without(*names: str) -> Edit:
    return lambda ds, k: [delattr(ds, name) for name in names]


def jitter(size: float, decimals: int = 9) -> Edit:
    """Move each slice a little along the last axis of space."""
    shifts = np.random.default_rng(1).uniform(-size, size, SLICES)

    def edit(ds: Dataset, k: int) -> None:
        x, y, z = (float(value) for value in ds.ImagePositionPatient)
        ds.ImagePositionPatient = [f"{value:.{decimals}f}" for value in (x, y, z + shifts[k])]

    return edit


def syntax(uid: str, dtype: str = "<u2") -> Edit:
    def edit(ds: Dataset, k: int) -> None:
        ds.file_meta.TransferSyntaxUID = uid
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(dtype).tobytes()

    return edit


def unused_bits(ds: Dataset, k: int) -> None:
    """Twelve bits of sixteen, and something else in the highest."""
    ds.BitsStored, ds.HighBit = 12, 11
    ds.PixelData = (np.frombuffer(ds.PixelData, "<u2") | 0x8000).tobytes()


def signed_12_bits(ds: Dataset, k: int) -> None:
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 12, 11, 1
    ds.PixelData = ((np.frombuffer(ds.PixelData, "<u2").astype(int) - 500) & 0xFFF).astype("<u2").tobytes()


def philips(slope: Callable[[int], float]) -> Edit:
    """The scale that all readers show, and the one of the vendor's own."""

    def edit(ds: Dataset, k: int) -> None:
        ds.RescaleSlope, ds.RescaleIntercept = str(slope(k)), "0"
        block = ds.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
        block.add_new(0x0E, "FL", 0.01)
        block.add_new(0x0D, "FL", 0.0)

    return edit


def rle(file: Path) -> None:
    ds = pydicom.dcmread(file)
    ds.compress(RLELossless, generate_instance_uid=False)
    ds.save_as(file)


def deflated(file: Path) -> None:
    ds = pydicom.dcmread(file)
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    ds.save_as(file)


def jpeg(kind: int, file: Path) -> None:
    """Lossless, by GDCM: 0 is JPEG, 1 is JPEG 2000."""
    source, target = (itk.GDCMImageIO.New(KeepOriginalUID=True) for _ in range(2))
    image = itk.imread(str(file), imageio=source)
    target.SetCompressionType(kind)
    target.SetMetaDataDictionary(source.GetMetaDataDictionary())
    written = file.with_suffix(".dcm")
    itk.imwrite(image, str(written), imageio=target, compression=True)
    written.replace(file)


def bare(implicit: bool, file: Path) -> None:
    """The data set alone: neither preamble nor header of the file."""
    ds, buffer = pydicom.dcmread(file), BytesIO()
    stream = DicomIO(buffer)
    stream.is_implicit_VR, stream.is_little_endian = implicit, True
    write_dataset(stream, ds)
    file.write_bytes(buffer.getvalue())


def without_preamble(file: Path) -> None:
    file.write_bytes(file.read_bytes()[132:])


def doubled(folder: Path) -> Any:
    one(folder)
    for file in list(folder.iterdir())[::3]:
        (folder / f"copy of {file.name}").write_bytes(file.read_bytes())
    return [stored()], OBLIQUE


def with_report(folder: Path) -> Any:
    one(folder)
    ds = pydicom.dcmread(folder / "IM0000")
    for name in ("PixelData", "Rows", "Columns"):
        delattr(ds, name)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.22"
    ds.save_as(folder / "report")
    return [stored()], OBLIQUE


BOTH: dict[str, Kind] = {
    "axial": partial(one, affine=AXIAL),
    "sagittal": partial(one, affine=classic_affine("sagittal")),
    "coronal": partial(one, affine=classic_affine("coronal")),
    "oblique": one,
    "not in the order of the files": partial(one, order=ORDER),
    "last slice first": partial(one, order=range(SLICES)[::-1]),
    "no instance numbers": partial(one, edit=without("InstanceNumber")),
    "no slice thickness": partial(one, edit=without("SliceThickness")),
    "no series number": partial(one, edit=without("SeriesNumber")),
    "decimals of 1.2 mm": partial(one, affine=classic_affine("sagittal", spacing=(2, 2, 1.2))),
    "positions to 1e-3 mm": partial(one, edit=jitter(1e-3)),
    "positions to .1 mm": partial(one, affine=classic_affine(spacing=(1, 1, 1.25)), edit=jitter(0, decimals=1)),
    "thick slices": partial(one, affine=classic_affine(spacing=(0.47, 0.47, 6.0))),
    "8 bits": partial(one, volume=(stored() % 251).astype("u1")),
    "signed": partial(one, volume=stored().astype("<i2") - 900),
    "16 bits": partial(one, volume=stored() * 60),
    "32 bits": partial(one, volume=stored().astype("<u4") * 1000),
    "12 bits": partial(one, edit=setting(BitsStored=12, HighBit=11)),
    "12 bits, others set": partial(one, edit=unused_bits),
    "signed, 12 bits": lambda folder: ([one(folder, edit=signed_12_bits)[0][0].astype(int) - 500], OBLIQUE),
    "one slope": lambda folder: (
        [one(folder, edit=setting(RescaleSlope="0.37", RescaleIntercept="-12.5"))[0][0] * 0.37 - 12.5],
        OBLIQUE,
    ),
    "Hounsfield units": lambda folder: (
        [one(folder, edit=setting(RescaleSlope="1", RescaleIntercept="-1024"))[0][0] - 1024.0],
        OBLIQUE,
    ),
    "Philips": lambda folder: (
        [one(folder, edit=philips(lambda k: 2.5), Manufacturer="Philips Medical Systems")[0][0] * 2.5],
        OBLIQUE,
    ),
    "padding": partial(one, edit=setting(PixelPaddingValue=0)),
    "implicit types": partial(one, edit=syntax(ImplicitVRLittleEndian)),
    "big-endian": partial(one, edit=syntax(ExplicitVRBigEndian, ">u2")),
    "RLE": partial(one, finish=rle),
    "JPEG": partial(one, finish=partial(jpeg, 0)),
    "JPEG 2000": partial(one, finish=partial(jpeg, 1)),
    "bare data set": partial(one, finish=partial(bare, False)),
    "bare data set, implicit types": partial(one, finish=partial(bare, True)),
    "no preamble": partial(one, finish=without_preamble),
    "files doubled": doubled,
    "with a report": with_report,
}
"""What dcm2niix and ITK read alike."""


def several(folder: Path, *edits: Edit | None, **options: Any) -> Any:
    """A series of as many volumes as edits."""
    volumes = [stored(seed=seed) for seed in range(len(edits))]
    for number, (volume, edit) in enumerate(zip(volumes, edits, strict=True)):
        write_classic(folder, volume, OBLIQUE, name=f"v{number}-{{:03d}}", edit=edit, **options)
    return volumes, OBLIQUE


def numbered(number: Callable[[int], int], **tags: Any) -> Edit:
    return setting(InstanceNumber=lambda k: str(number(k)), **tags)


def scaled(folder: Path, vendor: str, edit: Edit | None = None) -> Any:
    """Another slope and intercept in each slice."""
    edit = edit or setting(RescaleSlope=lambda k: str(SLOPES[k]), RescaleIntercept=str)
    one(folder, edit=edit, Manufacturer=vendor)
    return [stored() * SLOPES + (np.arange(SLICES) if vendor != "Philips" else 0)], OBLIQUE


def frames(folder: Path, volumes: int = 1, order: Any = None, edit: Any = None, scale: Any = None, **tags: Any) -> Any:
    """An enhanced series of one file."""
    made = [stored(seed=seed) for seed in range(volumes)]
    write_enhanced(folder / "a", made, OBLIQUE, frames=order, edit=edit, **tags)
    return [scale(number, volume) if scale else volume for number, volume in enumerate(made)], OBLIQUE


def mixed(volumes: int) -> list[tuple[int, int]]:
    every = [(volume, k) for volume in range(volumes) for k in range(SLICES)]
    return [every[index] for index in np.random.default_rng(2).permutation(len(every))]


def frame_scale(group: Dataset, volume: int, k: int) -> None:
    item = group.PixelValueTransformationSequence[0]
    item.RescaleSlope, item.RescaleIntercept = str(SLOPES[k] + volume), str(k)


def frame_index(index: Callable[[int], int]) -> Callable[[Dataset, int, int], None]:
    def edit(group: Dataset, volume: int, k: int) -> None:
        content = group.FrameContentSequence[0]
        content.InStackPositionNumber = index(k) + 1
        content.DimensionIndexValues = [1, index(k) + 1, volume + 1]

    return edit


def frame_type(group: Dataset, volume: int, k: int) -> None:
    group.MRImageFrameTypeSequence = items(
        FrameType=["ORIGINAL", "PRIMARY", "P" if volume else "M", "NONE"],
        ComplexImageComponent="PHASE" if volume else "MAGNITUDE",
    )


def frame_echo(group: Dataset, volume: int, k: int) -> None:
    group.MREchoSequence = items(EffectiveEchoTime=3.0 * (volume + 1))


def no_index(group: Dataset, volume: int, k: int) -> None:
    group.FrameContentSequence = items(FrameAcquisitionNumber=1)


def two_files(folder: Path) -> Any:
    for seed in range(2):
        write_enhanced(folder / f"{seed}.dcm", [stored(seed=seed)], OBLIQUE)
    return [stored(seed=seed) for seed in range(2)], OBLIQUE


def compressed_frames(folder: Path) -> Any:
    made = frames(folder, 2, mixed(2))
    rle(folder / "a")
    return made


def mosaics(folder: Path, volumes: int) -> Any:
    made = [stored(seed=seed) for seed in range(volumes)]
    write_mosaic(folder, made, OBLIQUE)
    return made, OBLIQUE


def scaled_frames(number: int, volume: np.ndarray) -> np.ndarray:
    return volume * (SLOPES + number) + np.arange(SLICES)


ONLY_DCM2NIIX: dict[str, Kind] = {
    **{f"slopes, {vendor}": partial(scaled, vendor=vendor) for vendor in VENDORS},
    "slopes, Philips and its own": partial(scaled, vendor="Philips", edit=philips(lambda k: float(SLOPES[k]))),
    "inverted": partial(one, PhotometricInterpretation="MONOCHROME1"),
    "echoes": lambda folder: several(folder, setting(EchoTime="3"), setting(EchoTime="12"), setting(EchoTime="101")),
    "one volume after the other": lambda folder: several(folder, numbered(lambda k: k), numbered(lambda k: k + 50)),
    "slice by slice": lambda folder: several(folder, numbered(lambda k: 2 * k), numbered(lambda k: 2 * k + 1)),
    "odd slices first": lambda folder: several(folder, numbered(lambda k: ORDER[k]), numbered(lambda k: ORDER[k] + 50)),
    "original and derived": lambda folder: several(
        folder, setting(ImageType=["ORIGINAL", "PRIMARY"]), setting(ImageType=["DERIVED", "SECONDARY"])
    ),
    "mosaic": partial(mosaics, volumes=1),
    "mosaics": partial(mosaics, volumes=3),
    "enhanced": partial(frames, order=mixed(1)),
    "enhanced, no indices": partial(frames, order=mixed(1), edit=no_index),
    "enhanced, wrong indices": partial(frames, order=mixed(1), edit=frame_index(lambda k: ORDER[k])),
    "enhanced, echoes": partial(frames, volumes=2, edit=frame_echo),
    "enhanced, phase": partial(frames, volumes=2, order=mixed(2), edit=frame_type),
    "enhanced, twelve volumes": partial(frames, volumes=12),
    "enhanced, two files": two_files,
    "enhanced, RLE": compressed_frames,
    **{f"enhanced, two volumes, {vendor}": partial(frames, volumes=2, Manufacturer=vendor) for vendor in VENDORS},
    **{
        f"enhanced, two mixed, {vendor}": partial(frames, volumes=2, order=mixed(2), Manufacturer=vendor)
        for vendor in VENDORS
    },
    **{
        f"enhanced, downwards, {vendor}": partial(
            frames, volumes=2, edit=frame_index(lambda k: SLICES - 1 - k), Manufacturer=vendor
        )
        for vendor in VENDORS
    },
    **{
        f"enhanced, slopes, {vendor}": partial(
            frames, volumes=2, edit=frame_scale, scale=scaled_frames, Manufacturer=vendor
        )
        for vendor in VENDORS
    },
}
"""What needs dcm2niix."""
