#!/usr/bin/env bash
# dcm2niix v1.0.20260724: what an enhanced MR file becomes depends on the name of its manufacturer.
#
# Guess: an enhanced MR file says by the standard where each frame lies, to which volume it belongs and how it is
# scaled, so the converted voxels follow from it, whoever made the scanner.
# Found, each with exit status 0 and without a warning, for SIEMENS, GE and UIH:
# - two volumes in one file (StackID, InStackPositionNumber, TemporalPositionIndex as dimensions) are interleaved: the
#   first volume gets slices 1 to 5 of both, the second slices 6 to 10 of both;
# - of slopes that differ between frames, that of the last frame is applied to all (also with -p y).
# For Philips, Canon and unknown manufacturers both are right. For all: where a frame in the middle is missing, the
# others are moved together, again without a word (for classic files dcm2niix warns of it).
# Ends with a status other than 0 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet install dcm2niix==1.0.20260724 pydicom==3.0.2 nibabel==5.4.2 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import subprocess
import sys
from pathlib import Path

import dcm2niix
import nibabel as nib
import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

FOLDER, SLICES = Path(sys.argv[1]), 10


def item(**tags):
    made = Dataset()
    for name, value in tags.items():
        setattr(made, name, value)
    return made


def write(path, manufacturer, volumes=1, without=None, slopes=False):
    """Frames of one value: the number of the slice, and 100 more in the second volume."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4.1", generate_uid()
    made = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dimensions = generate_uid()
    for name, value in {
        "SOPClassUID": meta.MediaStorageSOPClassUID, "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], "Modality": "MR", "Manufacturer": manufacturer,
        "ManufacturerModelName": "1", "DeviceSerialNumber": "1", "SoftwareVersions": "1", "AccessionNumber": "",
        "ReferringPhysicianName": "", "StudyID": "", "PatientName": "Test", "PatientID": "1", "PatientBirthDate": "",
        "PatientSex": "O", "StudyDate": "20200101", "StudyTime": "120000", "SeriesDate": "20200101",
        "SeriesTime": "120000", "ContentDate": "20200101", "ContentTime": "120000",
        "AcquisitionDateTime": "20200101120000", "AcquisitionDuration": 60.0, "AcquisitionNumber": 1,
        "StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid(),
        "FrameOfReferenceUID": generate_uid(), "PositionReferenceIndicator": "", "PatientPosition": "HFS",
        "SeriesNumber": 1, "InstanceNumber": 1, "ProtocolName": "T1", "ResonantNucleus": "1H",
        "KSpaceFiltering": "NONE", "MagneticFieldStrength": 3.0, "MRAcquisitionType": "3D",
        "PulseSequenceName": "FLASH", "ApplicableSafetyStandardAgency": "IEC", "ContentQualification": "RESEARCH",
        "PixelPresentation": "MONOCHROME", "VolumetricProperties": "VOLUME", "ComplexImageComponent": "MAGNITUDE",
        "VolumeBasedCalculationTechnique": "NONE", "AcquisitionContrast": "T1", "BurnedInAnnotation": "NO",
        "LossyImageCompression": "00", "PresentationLUTShape": "IDENTITY", "AcquisitionContextSequence": [],
        "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "Rows": 16, "Columns": 16,
        "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15, "PixelRepresentation": 0,
    }.items():
        setattr(made, name, value)
    made.DimensionOrganizationSequence = [item(DimensionOrganizationUID=dimensions)]
    made.DimensionIndexSequence = [
        item(DimensionOrganizationUID=dimensions, DimensionIndexPointer=tag, FunctionalGroupPointer=0x00209111)
        for tag in (0x00209056, 0x00209057, 0x00209128)  # stack, place in the stack, time
    ]
    frame_type = item(
        FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], PixelPresentation="MONOCHROME",
        VolumetricProperties="VOLUME", VolumeBasedCalculationTechnique="NONE", ComplexImageComponent="MAGNITUDE",
        AcquisitionContrast="T1",
    )
    made.SharedFunctionalGroupsSequence = [
        item(
            PlaneOrientationSequence=[item(ImageOrientationPatient=["1", "0", "0", "0", "1", "0"])],
            PixelMeasuresSequence=[item(PixelSpacing=["2", "2"], SliceThickness="3", SpacingBetweenSlices="3")],
            MRImageFrameTypeSequence=[frame_type],
            MREchoSequence=[item(EffectiveEchoTime=3.0)],
        )
    ]
    groups, pixels = [], []
    for volume, place in np.ndindex(volumes, SLICES):
        if place == without:
            continue
        time = f"2020010112{volume:02d}00"
        content = item(
            FrameAcquisitionNumber=1, FrameReferenceDateTime=time, FrameAcquisitionDateTime=time,
            FrameAcquisitionDuration=1000.0, StackID="1", InStackPositionNumber=place + 1,
            TemporalPositionIndex=volume + 1, DimensionIndexValues=[1, place + 1, volume + 1],
        )
        slope = str(1 + place) if slopes else "1"
        groups.append(
            item(
                FrameContentSequence=[content],
                PlanePositionSequence=[item(ImagePositionPatient=["0", "0", str(3 * place)])],
                PixelValueTransformationSequence=[item(RescaleIntercept="0", RescaleSlope=slope, RescaleType="US")],
                FrameVOILUTSequence=[item(WindowCenter="50", WindowWidth="100")],
            )
        )
        pixels.append(np.full((16, 16), 100 * volume + place))
        pixels[-1][0, 0] += 1
    made.PerFrameFunctionalGroupsSequence, made.NumberOfFrames = groups, len(groups)
    made.PixelData = np.stack(pixels).astype("<u2").tobytes()
    made.save_as(path, enforce_file_format=True)


def converted(manufacturer, **options):
    """Exit status, and the value of each slice, volume by volume."""
    folder = FOLDER / f"{generate_uid()}"
    folder.mkdir()
    write(folder / "in.dcm", manufacturer, **options)
    command = [dcm2niix.bin, "-p", "y", "-b", "n", "-f", "out", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    voxels = np.asarray(nib.load(folder / "out.nii").dataobj)[5, 5]
    lines = [line for line in done.stdout.splitlines() if not line.startswith("Convert")]
    words = [line for line in lines if any(word in line for word in ("slice", "slope", "volume", "Missing images"))]
    return done.returncode, voxels.T.astype(int).tolist(), words


UP = list(range(SLICES))
RIGHT = {"Philips": True, "Canon": True, "SIEMENS": False, "GE MEDICAL SYSTEMS": False, "UIH": False}
for manufacturer, right in RIGHT.items():
    two, scaled, gap = (converted(manufacturer, **o) for o in ({"volumes": 2}, {"slopes": True}, {"without": 4}))
    print(manufacturer, "\n  two volumes:", two, "\n  slopes 1, 2, ..., 10:", scaled, "\n  slice 4 missing:", gap)
    mixed = [[100 * (k % 2) + k // 2 + begin for k in UP] for begin in (0, 5)]
    assert two[:2] == (0, [UP, [100 + k for k in UP]] if right else mixed)
    assert scaled[:2] == (0, [k * (1 + k) if right else 10 * k for k in UP])
    assert gap == (0, [k for k in UP if k != 4], [])
PYTHON
# Output seen (v1.0.20260724), shortened:
# Philips
#   two volumes: (0, [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [100, 101, 102, 103, 104, 105, 106, 107, 108, 109]], [])
#   slopes 1, 2, ..., 10: (0, [0, 2, 6, 12, 20, 30, 42, 56, 72, 90], ['Saving as 32-bit float (slope, ...'])
# SIEMENS
#   two volumes: (0, [[0, 100, 1, 101, 2, 102, 3, 103, 4, 104], [5, 105, 6, 106, 7, 107, 8, 108, 9, 109]], [])
#   slopes 1, 2, ..., 10: (0, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90], [])
#   slice 4 missing: (0, [0, 1, 2, 3, 5, 6, 7, 8, 9], [])
