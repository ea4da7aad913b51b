# SPDX-License-Identifier: Apache-2.0
"""Write a volume as a DICOM series that is derived from another one: classic MR images, a slice a file.

Equal volumes give equal bytes, so there is no time of writing in them: an archive that gets the same instance twice
gets the same content.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from .atomic import replacing_folder
from .dicom_derived import SOFTWARE, Source, coded, common_tags, copy_tag, lenient, new_uid, referenced, series_number
from .dicom_headers import Header

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["Scale", "stored_scale", "write_series"]

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
TOP = 2**16 - 1
"""Largest value of a pixel."""
MOST_HALVINGS = 16
KEPT = (
    "SeriesDate", "SeriesTime", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime", "BodyPartExamined",
    "FrameOfReferenceUID", "PositionReferenceIndicator", "AcquisitionNumber", "SliceLocation", "BurnedInAnnotation",
    "WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction", "LossyImageCompression",
    "LossyImageCompressionRatio", "LossyImageCompressionMethod",
)  # fmt: skip
"""Of a slice; and all of the group of acquisition, but for sequences and the equipment."""
ACQUISITION = 0x0018
EMPTY_IF_MISSING = (
    "ScanOptions", "MRAcquisitionType", "EchoTime", "EchoTrainLength", "PatientPosition", "PositionReferenceIndicator",
)  # fmt: skip
EQUIPMENT = (
    "Manufacturer", "InstitutionName", "StationName", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions",
)  # fmt: skip
OF_FRAMES = {
    "EchoTime": ("MREchoSequence", "EffectiveEchoTime"),
    "RepetitionTime": ("MRTimingAndRelatedParametersSequence", "RepetitionTime"),
    "FlipAngle": ("MRTimingAndRelatedParametersSequence", "FlipAngle"),
    "EchoTrainLength": ("MRTimingAndRelatedParametersSequence", "RFEchoTrainLength"),
    "SliceThickness": ("PixelMeasuresSequence", "SliceThickness"),
    "WindowCenter": ("FrameVOILUTSequence", "WindowCenter"),
    "WindowWidth": ("FrameVOILUTSequence", "WindowWidth"),
}
"""Where an enhanced file has what a classic one has itself."""
SEQUENCES = {"SPIN": ["SE"], "GRADIENT": ["GR"], "BOTH": ["SE", "GR"]}


class Scale:
    """What pixels stand for: slope, intercept, and whether they have a sign; numbers that 16 characters can say."""

    def __init__(self, slope: float, intercept: float, signed: bool) -> None:
        self.slope, self.intercept, self.signed = slope, intercept, signed

    def stored(self, values: NDArray[np.floating]) -> NDArray[np.integer]:
        """Values as pixels."""
        kind = np.int16 if self.signed else np.uint16
        limits = np.iinfo(kind)
        pixels = np.rint((values.astype(np.float64) - self.intercept) / self.slope)
        return np.clip(pixels, limits.min, limits.max).astype(f"<{np.dtype(kind).str[1:]}")


def stored_scale(values: NDArray[np.floating], slope: float = 1.0, intercept: float = 0.0) -> Scale:
    """The finest scale on which 16 bits hold all values.

    It is that of the source, halved as often as it can be, so that voxels that were not changed come back exactly;
    where 16 bits do not hold them so, the range is divided into 65,535 steps.

    Args:
        values: of the voxels.
        slope: of the source.
        intercept: of the source.

    Example:
        >>> scale = stored_scale(np.array([0.0, 1000.0]))
        >>> scale.slope, scale.intercept, scale.signed
        (0.015625, 0.0, False)
    """
    low, high = float(values.min()), float(values.max())
    signed = low < intercept
    most = max((high - intercept) / (TOP >> signed), (intercept - low) / (TOP // 2 + 1), np.finfo(float).tiny)
    halvings = min(MOST_HALVINGS, math.floor(math.log2(abs(slope) / most))) if slope else -1
    for halved in range(halvings, -1, -1):
        step = abs(slope) / 2**halved
        if _decimal(step) == step and _decimal(intercept) == intercept:
            return Scale(step, intercept, signed)
    return Scale(_decimal((high - low or 1.0) / TOP * (1 + 1e-9)), _decimal(low), False)


def _decimal(value: float) -> float:
    """The number that a decimal string of DICOM can say."""
    from pydicom.valuerep import format_number_as_ds

    return float(format_number_as_ds(float(value)))


def write_series(
    folder: Path, values: NDArray[np.floating], affine: NDArray[np.float64], source: Source, what: str, derivation: str
) -> None:
    """Write a volume as a series, complete or not at all.

    Args:
        folder: folder of its files; a former one is replaced.
        values: of the voxels, ``(columns, rows, slices)``, on the grid of the source.
        affine: of the voxels to millimetres, RAS.
        source: slices that the volume was made of.
        what: word for what was done, for the description of the series.
        derivation: text for the description of the derivation.

    Raises:
        ValueError: the volume is not on the grid of the source.
        OSError: it cannot be written.
    """
    columns, rows = source.slices[0][0].size[:2]
    mosaic = source.slices[0][0].mosaic
    if not mosaic and values.shape != (columns, rows, len(source.slices)):
        raise ValueError(f"the result has the shape {values.shape}, the series {(columns, rows, len(source.slices))}.")
    scales = {
        (header.frames[number].slope, header.frames[number].intercept)
        for header, number in source.slices
        if header.frames
    }
    scale = stored_scale(values, *(scales.pop() if len(scales) == 1 else (0.0, 0.0)))
    pixels = scale.stored(values)
    read = lru_cache(maxsize=1)(_read)
    with lenient(), replacing_folder(folder) as partial:
        first = read(source.slices[0][0].file)
        mark = hashlib.sha256(pixels.tobytes() + repr((vars(scale), pixels.shape, derivation)).encode()).hexdigest()
        series = new_uid(str(first.SeriesInstanceUID), str(source.volume), mark)
        for k in range(values.shape[2]):
            header, number = source.slices[0 if mosaic else k]
            made = _slice(read(header.file), header, number)
            _place(made, header, number, affine, k)
            frame = number + 1 if header.enhanced else None
            _describe(made, read(header.file), series_number(source), what, derivation, frame)
            _put_pixels(made, pixels[:, :, k].T, scale)
            made.PhotometricInterpretation = header.photometric or "MONOCHROME2"
            made.SeriesInstanceUID, made.SOPInstanceUID = series, new_uid(series, str(k))
            made.InstanceNumber = k + 1
            _save(made, partial / f"IM{k + 1:04d}.dcm")


def _read(file: Path) -> Dataset:
    from pydicom import dcmread

    return dcmread(file, stop_before_pixels=True, force=True)


def _save(made: Dataset, path: Path) -> None:
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.save_as(path, enforce_file_format=True)


def _slice(given: Dataset, header: Header, number: int) -> Dataset:
    """Patient, study and acquisition of a slice."""
    from pydicom.datadict import tag_for_keyword

    made = common_tags(given)
    skipped = {tag_for_keyword(name) for name in EQUIPMENT}
    kept = {tag_for_keyword(name) for name in KEPT}
    for tag in list(given.keys()):
        if (tag.group == ACQUISITION and tag not in skipped and given[tag].VR != "SQ") or tag in kept:
            copy_tag(given, made, tag)
    if header.enhanced:
        _take_frame(given, number, made)
    for name, default in {"ScanningSequence": "RM", "SequenceVariant": "NONE"}.items():
        if not made.get(name):
            setattr(made, name, default)
    for name in EMPTY_IF_MISSING:
        if name not in made:
            setattr(made, name, None)
    if not made.get("FrameOfReferenceUID"):
        made.FrameOfReferenceUID = new_uid(str(given.SeriesInstanceUID), "frame of reference")
    return made


def _take_frame(given: Dataset, number: int, made: Dataset) -> None:
    """What the functional groups of an enhanced file say of a frame."""
    groups = [given.PerFrameFunctionalGroupsSequence[number], given.SharedFunctionalGroupsSequence[0]]
    for name, (sequence, inner) in OF_FRAMES.items():
        found = (group[sequence].value[0].get(inner) for group in groups if group.get(sequence))
        value = next((one for one in found if one is not None), None)
        if value is not None:
            setattr(made, name, value)
    moment = str(given.get("AcquisitionDateTime") or "")
    if "AcquisitionDate" not in made and len(moment) > 8:
        made.AcquisitionDate, made.AcquisitionTime = moment[:8], moment[8:].split("+")[0].split("-")[0]
    kind = SEQUENCES.get(str(given.get("EchoPulseSequence", "")))
    if kind and not made.get("ScanningSequence"):
        made.ScanningSequence = kind


def _place(made: Dataset, header: Header, number: int, affine: NDArray[np.float64], k: int) -> None:
    """Where a slice lies, in the numbers of its source; of a mosaic, of which only the converter knows it."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    sizes = np.linalg.norm(lps[:3, :3], axis=0)
    if header.mosaic:
        cosines = lps[:3, :3] / sizes
        orientation, position = [*cosines[:, 0], *cosines[:, 1]], lps[:3, 3] + k * lps[:3, 2]
        spacing: Any = sizes[1::-1]
    else:
        frame = header.frames[number]
        orientation, position, spacing = list(frame.orientation), np.array(frame.position), frame.spacing
    made.ImageOrientationPatient = list(map(_decimal, orientation))
    made.ImagePositionPatient = list(map(_decimal, position))
    made.PixelSpacing = list(map(_decimal, spacing))
    made.SpacingBetweenSlices = _decimal(sizes[2])
    if not made.get("SliceThickness"):
        made.SliceThickness = _decimal(sizes[2])


def _describe(made: Dataset, given: Dataset, number: int, what: str, derivation: str, frame: int | None) -> None:
    """That it is derived, from what, and by what."""
    from pydicom import Dataset

    made.SOPClassUID, made.Modality = MR_IMAGE, "MR"
    made.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    made.DerivationDescription = derivation[:1024]
    made.SeriesNumber = number
    made.SeriesDescription = f"{str(given.get('SeriesDescription') or 'MR')[: 63 - len(what)]} {what}"
    equipment = Dataset()
    for name in EQUIPMENT:
        if given.get(name):
            copy_tag(given, equipment, given[name].tag)
    if "Manufacturer" in equipment:
        equipment.PurposeOfReferenceCodeSequence = coded("109101", "DCM", "Acquisition Equipment")
        made.ContributingEquipmentSequence = [equipment]
    made.Manufacturer = made.ManufacturerModelName = SOFTWARE
    made.SoftwareVersions = __version__
    image = referenced(given, frame)
    image.PurposeOfReferenceCodeSequence = coded("121322", "DCM", "Source image for image processing operation")
    made.SourceImageSequence = [image]
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedInstanceSequence = given.SeriesInstanceUID, [referenced(given, frame)]
    made.ReferencedSeriesSequence = [series]


def _put_pixels(made: Dataset, pixels: NDArray[np.integer], scale: Scale) -> None:
    made.SamplesPerPixel = 1
    made.Rows, made.Columns = pixels.shape
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit = 15
    made.PixelRepresentation = int(scale.signed)
    made.RescaleSlope, made.RescaleIntercept, made.RescaleType = scale.slope, scale.intercept, "US"
    made.add_new(0x7FE00010, "OW", pixels.tobytes())
