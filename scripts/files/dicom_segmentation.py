# SPDX-License-Identifier: Apache-2.0
"""Write numbered regions of a volume as a DICOM segmentation that refers to its series."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from .atomic import replacing
from .dicom_derived import REMEDY, SOFTWARE, Source, common_tags, lenient, new_uid, series_number

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["Segment", "refused_segmentation", "write_segmentation"]

SCHEME = "99BMAE"
"""Of the codes that are ours: DICOM has none for what is unlike healthy heads without being known to be a lesion."""
COLOURS = (
    (230, 60, 50), (60, 120, 220), (70, 170, 70), (240, 160, 30), (150, 80, 180), (30, 180, 190), (220, 100, 170),
    (150, 110, 70), (180, 190, 40), (120, 120, 120),
)  # fmt: skip
"""Of the segments in turn."""
NUMBER = 500
"""Added to the number of the series, to which a restored one adds nothing."""
LABEL, DESCRIPTION = 64, 1024
"""Longest texts."""


class Segment(NamedTuple):
    """One region.

    Attributes:
        number: its voxels have this number.
        label: a few words.
        description: more of them.
    """

    number: int
    label: str
    description: str


def refused_segmentation(source: Source) -> str:
    """Why no segmentation can refer to a volume; "" if one can."""
    if not find_spec("highdicom"):
        return f"DICOM segmentations need the package highdicom: {REMEDY}."
    header = source.slices[0][0]
    if header.mosaic:
        return "it is a mosaic, whose slices are parts of one image: a segmentation cannot refer to them."
    if header.enhanced and len({one.file for one, _ in source.slices}) > 1:
        return "its enhanced images lie in several files, to which one segmentation cannot refer."
    return ""


def write_segmentation(
    path: Path, labels: NDArray[np.integer], segments: Sequence[Segment], source: Source, about: str
) -> None:
    """Write a file, complete or not at all. Equal regions give equal bytes.

    Args:
        path: the file.
        labels: number of the region of each voxel, 0 outside, ``(columns, rows, slices)``, on the grid of the source.
        segments: the regions, of which each has a voxel.
        source: slices of the volume.
        about: description of the content.

    Raises:
        OSError: it cannot be written.
    """
    logging.getLogger("highdicom").setLevel(logging.ERROR)
    with lenient():
        images = _images(source)
        mark = hashlib.sha256(labels.tobytes() + repr((labels.shape, segments, about)).encode()).hexdigest()
        made = _segmentation(images, labels, segments, source, new_uid(str(images[0].SeriesInstanceUID), mark), about)
        made.update(common_tags(images[0]))
        _forget_time(made, images[0])
        if source.slices[0][0].enhanced:
            _refer_to_own_frames(made, source)
        with replacing(path) as partial:
            made.save_as(partial, enforce_file_format=True)


def _images(source: Source) -> list[Dataset]:
    """Data sets of the files, without pixels, in the order of the slices."""
    from pydicom import dcmread

    files = list(dict.fromkeys(header.file for header, _ in source.slices))
    images: list[Dataset] = [dcmread(file, stop_before_pixels=True, force=True) for file in files]
    for image in images:
        if not image.get("FrameOfReferenceUID"):
            image.FrameOfReferenceUID = new_uid(str(image.SeriesInstanceUID), "frame of reference")
        for name in ("AccessionNumber", "StudyID", "PatientName", "PatientID", "PatientBirthDate", "PatientSex"):
            image.setdefault(name, "")
        for name in ("StudyDate", "StudyTime"):
            image.setdefault(name, None)
    return images


def _segmentation(
    images: list[Dataset],
    labels: NDArray[np.integer],
    segments: Sequence[Segment],
    source: Source,
    series: str,
    about: str,
) -> Any:
    import highdicom as hd

    frames = np.moveaxis(labels, 2, 0).swapaxes(1, 2)  # slices, rows, columns
    numbers = np.zeros(int(labels.max()) + 1, dtype=np.uint8 if len(segments) < 256 else np.uint16)
    numbers[[segment.number for segment in segments]] = range(1, len(segments) + 1)
    places: dict[str, Any] = {}
    if source.slices[0][0].enhanced:
        first = [header.frames[number] for header, number in source.slices]
        step = float(np.linalg.norm(np.subtract(first[-1].position, first[0].position))) / max(1, len(first) - 1)
        places = {
            "plane_positions": [hd.PlanePositionSequence("PATIENT", frame.position) for frame in first],
            "plane_orientation": hd.PlaneOrientationSequence("PATIENT", first[0].orientation),
            "pixel_measures": hd.PixelMeasuresSequence(first[0].spacing, step, step),
        }
    return hd.seg.Segmentation(
        images,
        numbers[frames],
        hd.seg.SegmentationTypeValues.BINARY,
        [_description(place, segment, series) for place, segment in enumerate(segments)],
        series_instance_uid=series,
        series_number=series_number(source, NUMBER),
        sop_instance_uid=new_uid(series, "segmentation"),
        instance_number=1,
        manufacturer=SOFTWARE,
        manufacturer_model_name=SOFTWARE,
        software_versions=__version__,
        device_serial_number="none",
        content_label="ANOMALIES",
        content_description=about[:LABEL],
        series_description=f"{str(images[0].get('SeriesDescription') or 'MR')[:54]} clusters",
        **places,
    )


def _refer_to_own_frames(made: Dataset, source: Source) -> None:
    """Refer to the frames of the volume: highdicom takes the first at a place, be it of another volume of the file."""
    places = np.array([header.frames[number].position for header, number in source.slices])
    for item in made.PerFrameFunctionalGroupsSequence:
        place = np.array(item.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        _, number = source.slices[int(np.square(places - place).sum(axis=1).argmin())]
        item.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber = number + 1


def _description(place: int, segment: Segment, series: str) -> Any:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    made = hd.seg.SegmentDescription(
        segment_number=place + 1,
        segment_label=segment.label[:LABEL],
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=hd.sr.CodedConcept("unusual", SCHEME, "Cluster of voxels unlike healthy heads"),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            SOFTWARE, codes.DCM.ArtificialIntelligence, __version__
        ),
        tracking_uid=new_uid(series, str(segment.number)),
        tracking_id=f"cluster {segment.number}",
        display_color=hd.color.CIELabColor.from_rgb(*COLOURS[place % len(COLOURS)]),
    )
    made.SegmentDescription = segment.description[:DESCRIPTION]
    return made


def _forget_time(made: Dataset, image: Dataset) -> None:
    """Put the time of the source for that of writing, and known identifiers for random ones."""
    for name in ("InstanceCreationDate", "InstanceCreationTime"):
        if name in made:
            delattr(made, name)
    for kind in ("Content", "Series"):
        for word, default in (("Date", "19000101"), ("Time", "000000")):
            value = image.get(f"{kind}{word}") or image.get(f"Study{word}") or default
            setattr(made, f"{kind}{word}", value)
    for item in made.get("ContributingEquipmentSequence", ()):
        item.pop("ContributionDateTime", None)
    organisation = new_uid(str(made.SOPInstanceUID), "dimensions")
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = organisation
