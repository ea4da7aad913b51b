# SPDX-License-Identifier: Apache-2.0
"""What is common to DICOM objects that are derived from a volume: patient, study, references, identifiers.

A derived object is filed by an archive with its source, so it holds the patient's data as its source does, byte for
byte. Nothing else of the package keeps them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import __version__
from .dicom_headers import Header

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = [
    "SOFTWARE", "Source", "coded", "common_tags", "copy_tag", "lenient", "new_uid", "referenced", "refused_source",
    "series_number",
]  # fmt: skip

SOFTWARE = "brain-mri-autoencoders"
REMEDY = "pip install 'brain-mri-autoencoders[dicom]'"
MR_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.4": "MR Image Storage",
    "1.2.840.10008.5.1.4.1.1.4.1": "Enhanced MR Image Storage",
    "1.2.840.10008.5.1.4.1.1.4.4": "Legacy Converted Enhanced MR Image Storage",
}
NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
GROUPS = (0x0010, 0x0012)
"""Patient and clinical trial; all of it."""
STUDY = (
    "SpecificCharacterSet", "TimezoneOffsetFromUTC", "StudyInstanceUID", "StudyDate", "StudyTime", "StudyID",
    "StudyDescription", "AccessionNumber", "IssuerOfAccessionNumberSequence", "ReferringPhysicianName",
    "PhysiciansOfRecord", "ProcedureCodeSequence", "ReferencedStudySequence", "InstitutionName",
)  # fmt: skip
EMPTY_IF_MISSING = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
"""An archive wants them to be there, be they empty."""
MOST_SERIES, PER_SERIES = 2_000_000, 1000
"""A number of a series has 31 bits; so many are left for what is derived from each."""


class Source(NamedTuple):
    """The slices of a volume.

    Attributes:
        slices: header of the file, and number of the frame in it, of each slice along the normal; of a mosaic, which
            has all slices in one frame, that one alone.
        volume: number of the volume among those of its series.
    """

    slices: tuple[tuple[Header, int], ...]
    volume: int


@contextmanager
def lenient() -> Iterator[None]:
    """Take values as they are; pydicom's warnings would show the patient's."""
    from pydicom.config import disable_value_validation

    with warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def refused_source(source: Source) -> str:
    """Why no DICOM object can be derived from a volume; "" if one can."""
    if not find_spec("pydicom"):
        return f"DICOM results need the package pydicom: {REMEDY}."
    from pydicom import dcmread

    for header in {header.file: header for header, _ in source.slices}.values():
        with lenient():
            data = dcmread(header.file, specific_tags=["SOPClassUID", *NEEDED], force=True)
            missing = [name for name in NEEDED if not data.get(name)]
            kind = data.get("SOPClassUID", data.file_meta.get("MediaStorageSOPClassUID", ""))
        if kind not in MR_CLASSES:
            name = getattr(kind, "name", "") or "none"
            return f"its storage class is {name}: a DICOM result can be made of MR images only. Leave out --dicom."
        if missing:
            return f"it has no {missing[0]}, to which a DICOM result would refer. Leave out --dicom."
    return ""


def common_tags(given: Dataset) -> Dataset:
    """A data set with patient and study as the source has them, byte for byte where that can be.

    Args:
        given: data set of a file of the source.
    """
    from pydicom import Dataset
    from pydicom.datadict import tag_for_keyword

    made = Dataset()
    study = {tag_for_keyword(name) for name in STUDY}
    for tag in list(given.keys()):
        if tag.group in GROUPS or tag in study:
            copy_tag(given, made, tag)
    for name in EMPTY_IF_MISSING:
        if name not in made:
            setattr(made, name, "")
    return made


def copy_tag(given: Dataset, made: Dataset, tag: Any) -> None:
    """Copy an element; text stays in its bytes, which need not be those of the declared character set."""
    from pydicom.datadict import dictionary_has_tag, dictionary_VR

    item: Any = given.get_item(tag)
    known = dictionary_VR(tag) if dictionary_has_tag(tag) else "UN"
    if item.is_raw and item.value is not None and item.is_little_endian and known.isalpha() and known != "SQ":
        odd = len(item.value) % 2  # which is not allowed
        made[tag] = item._replace(VR=known, value=item.value + (b"\0" if known == "UI" else b" ") * odd)
    elif not item.is_raw or known != "UN":
        made[tag] = given[tag]


def coded(value: str, scheme: str, meaning: str) -> list[Dataset]:
    """A sequence of one code."""
    from pydicom import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return [item]


def new_uid(*parts: str) -> str:
    """An identifier: equal parts give the same one, others another."""
    from pydicom.uid import generate_uid

    return str(generate_uid(entropy_srcs=[SOFTWARE, __version__, *parts]))


def series_number(source: Source, offset: int = 0) -> int:
    """Number of a derived series: a thousand times that of its source, and the number of the volume.

    Args:
        source: the volume.
        offset: what tells several derived series of a volume apart.
    """
    text = source.slices[0][0].series_number.strip()
    number = abs(int(text)) if text.lstrip("+-").isdecimal() else 0
    return number % MOST_SERIES * PER_SERIES + (offset + source.volume) % PER_SERIES


def referenced(data: Dataset, frame: int | None = None) -> Dataset:
    """A reference to an instance, or to one of its frames, counted from 1."""
    from pydicom import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = data.SOPClassUID, data.SOPInstanceUID
    if frame is not None:
        item.ReferencedFrameNumber = frame
    return item
