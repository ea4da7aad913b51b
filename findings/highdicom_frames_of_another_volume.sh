#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# highdicom 0.28.2: a segmentation of the second volume of an enhanced MR file refers to the frames of the first.
# An enhanced file may hold several volumes (echoes, time points), whose frames lie at the same places. The source frame of
# each segmented frame is looked up by its position alone, and the first that lies there is taken, of whichever volume.
# Seen: with frames volume 1, volume 2, volume 1, volume 2, ... the frames 1 and 3 are named where a segmentation is
# made of volume 2, whose frames are 2 and 4; no warning. What we do: write the frame numbers ourselves afterwards.
# Guess before trying: with positions given, it refers to no frame, or to all at the place, or says that it cannot know.
# Usage: bash findings/highdicom_frames_of_another_volume.sh    (exit status 0: still so)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet highdicom==0.28.2 pydicom==3.0.2 numpy==2.4.6
"$work/venv/bin/python" -W ignore - <<'PYTHON'
import highdicom as hd
import numpy as np
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian


def item(**tags):
    made = Dataset()
    for name, value in tags.items():
        setattr(made, name, value)
    return made


def place(k):
    return ["0", "0", str(2 * k)]


uid = hd.UID
source = item(
    SOPClassUID=EnhancedMRImageStorage, SOPInstanceUID=uid(), StudyInstanceUID=uid(), SeriesInstanceUID=uid(),
    FrameOfReferenceUID=uid(), Modality="MR", Manufacturer="ACME", PatientName="", PatientID="1", PatientBirthDate="",
    PatientSex="", StudyDate="20200101", StudyTime="120000", StudyID="", AccessionNumber="", SeriesNumber=1,
    InstanceNumber=1, ImageType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], Rows=8, Columns=8, NumberOfFrames=4,
    SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", BitsAllocated=16, BitsStored=16, HighBit=15,
    PixelRepresentation=0,
)  # fmt: skip
organisation = uid()
source.DimensionOrganizationSequence = [item(DimensionOrganizationUID=organisation)]
source.DimensionIndexSequence = [
    item(DimensionOrganizationUID=organisation, DimensionIndexPointer=tag, FunctionalGroupPointer=0x00209111)
    for tag in (0x00209057, 0x00209128)
]
source.SharedFunctionalGroupsSequence = [
    item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=["1", "0", "0", "0", "1", "0"])],
        PixelMeasuresSequence=[item(PixelSpacing=["1", "1"], SliceThickness="2", SpacingBetweenSlices="2")],
    )
]
source.PerFrameFunctionalGroupsSequence = [
    item(
        FrameContentSequence=[
            item(InStackPositionNumber=k + 1, TemporalPositionIndex=v + 1, DimensionIndexValues=[k + 1, v + 1])
        ],
        PlanePositionSequence=[item(ImagePositionPatient=place(k))],
    )
    for k in (0, 1)
    for v in (0, 1)
]
source.file_meta = item(TransferSyntaxUID=ExplicitVRLittleEndian)
source.PixelData = bytes(8 * 8 * 2 * 4)

made = hd.seg.Segmentation(
    [source],
    np.ones((2, 8, 8), dtype=np.uint8),  # of the second volume, frames 2 and 4
    "BINARY",
    [
        hd.seg.SegmentDescription(
            1, "x", codes.SCT.Tissue, codes.SCT.Tissue, "AUTOMATIC",
            hd.AlgorithmIdentificationSequence("x", codes.DCM.ArtificialIntelligence, "1"),
        )
    ],
    series_instance_uid=uid(), series_number=2, sop_instance_uid=uid(), instance_number=1, manufacturer="x",
    manufacturer_model_name="x", software_versions="1", device_serial_number="1",
    plane_positions=[hd.PlanePositionSequence("PATIENT", [0.0, 0.0, 2.0 * k]) for k in (0, 1)],
    plane_orientation=hd.PlaneOrientationSequence("PATIENT", [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
    pixel_measures=hd.PixelMeasuresSequence([1.0, 1.0], 2.0, 2.0),
)  # fmt: skip
numbers = sorted(
    int(group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber)
    for group in made.PerFrameFunctionalGroupsSequence
)
print(f"highdicom {hd.__version__}: frames {numbers} are referred to; those at these places are 1, 2 and 3, 4")
raise SystemExit(numbers != [1, 3])
PYTHON
