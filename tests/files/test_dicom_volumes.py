# SPDX-License-Identifier: Apache-2.0
"""What headers alone say of a series."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pydicom
import pytest

from scripts.files.dicom_headers import read_headers
from scripts.files.dicom_volumes import SeriesVolume, volumes_of
from tests.helpers.dicom_files import classic_affine, dicom_affine, items, stored, write_classic, write_enhanced
from tests.helpers.dicom_kinds import (
    AXIAL,
    OBLIQUE,
    ORDER,
    SLICES,
    frame_index,
    frames,
    jitter,
    no_index,
    numbered,
    one,
    setting,
    several,
    without,
)  # fmt: skip

RULES = {
    "uneven": r"the slices are not evenly spaced \(off by up to 0\.933 mm of 2\.13 mm\): some are missing or doubled\.",
    "count": r"slices are missing or doubled: there are 1 to 2 at a place\.",
    "directions": r"its slices lie in several directions, as those of a localiser: they make no volume\.",
    "sizes": r"its slices have pixels of several sizes: they make no volume\.",
    "tilted": r"the slices are shifted against each other \(a tilted gantry\): resample them first\.",
    "pictures": r"it does not say where its slices lie: these are pictures, not slices of a volume\.",
    "numbers": r"it has several volumes, and the instance numbers do not say which slice belongs to which\.",
    "nothing": r"it has several volumes, and nothing says which slice belongs to which\.",
    "colours": r"its pixels are colours: give a series of grey values\.",
    "cut": r"IM0003 is truncated: it ends before its pixels do\.",
}


def volumes(folder: Path) -> list[SeriesVolume]:
    headers, unreadable, without_images = read_headers(sorted(folder.iterdir()))
    assert (unreadable, without_images) == ([], 0)
    return volumes_of(headers)


def sheared(size: float) -> np.ndarray:
    affine = AXIAL.copy()
    affine[0, 2] = size
    return affine


def localiser(folder: Path) -> None:
    for number, plane in enumerate(("axial", "sagittal", "coronal")):
        affine = classic_affine(plane)
        write_classic(folder, stored((20, 18, 3)), affine, name=f"p{number}-{{}}", edit=numbered(lambda k: k))


def cut(folder: Path) -> None:
    one(folder)
    os.truncate(folder / "IM0003", (folder / "IM0003").stat().st_size - 100)


def boasting(folder: Path) -> None:
    """Two kilobytes, compressed, that claim to be 65,535 x 65,535 pixels."""
    one(folder, finish=boast)


def boast(file: Path) -> None:
    ds = pydicom.dcmread(file)
    ds.compress(pydicom.uid.RLELossless)
    if file.name == "IM0003":
        ds.Rows = ds.Columns = 65_535
    ds.save_as(file)


def without_group(name: str):
    return lambda group, volume, k: delattr(group, name)


def missing_frame(folder: Path, volumes: int) -> None:
    every = [(volume, k) for volume in range(volumes) for k in range(SLICES)]
    frames(folder, volumes, order=[frame for frame in every if frame != (volumes - 1, 8)])


def one_index(group, volume: int, k: int) -> None:
    group.FrameContentSequence[0].DimensionIndexValues = [1, k + 1, 1]


REFUSED = {
    "a slice is missing": (lambda folder: one(folder, affine=AXIAL, skip=[8]), "uneven"),
    "a frame is missing": (lambda folder: missing_frame(folder, 1), "not evenly spaced"),
    "a frame of the second volume is missing": (lambda folder: missing_frame(folder, 2), "not evenly spaced"),
    "a slice is doubled": (
        lambda folder: [one(folder), write_classic(folder, stored(seed=1), OBLIQUE, name="b{}", skip=range(1, 17))],
        "count",
    ),
    "slices are uneven": (lambda folder: one(folder, affine=AXIAL, edit=jitter(0.6)), "not evenly spaced"),
    "a localiser": (localiser, "directions"),
    "two sizes": (
        lambda folder: one(folder, edit=setting(PixelSpacing=lambda k: [1 + (k > 8), 1.0])),
        "sizes",
    ),
    "a tilted gantry": (lambda folder: one(folder, affine=sheared(0.5)), "tilted"),
    "a gantry tilted by half a degree": (lambda folder: one(folder, affine=sheared(0.017)), "tilted"),
    "no position": (lambda folder: one(folder, edit=without("ImagePositionPatient")), "pictures"),
    "no orientation": (lambda folder: one(folder, edit=without("ImageOrientationPatient")), "pictures"),
    "no pixel size": (lambda folder: one(folder, edit=without("PixelSpacing")), "pictures"),
    "a pixel size of zero": (lambda folder: one(folder, edit=setting(PixelSpacing=["0", "1"])), "pictures"),
    "an orientation of one direction": (
        lambda folder: one(folder, edit=setting(ImageOrientationPatient=["1", "0", "0", "1", "0", "0"])),
        "pictures",
    ),
    "frames without position": (
        lambda folder: frames(folder, edit=without_group("PlanePositionSequence")),
        "pictures",
    ),
    "equal instance numbers": (lambda folder: several(folder, None, None), "numbers"),
    "no instance numbers": (
        lambda folder: several(folder, without("InstanceNumber"), without("InstanceNumber")),
        "numbers",
    ),
    "one volume upwards, one downwards": (
        lambda folder: several(folder, numbered(lambda k: k), numbered(lambda k: 99 - k)),
        "numbers",
    ),
    "frames that nothing tells apart": (lambda folder: frames(folder, 2, edit=no_index), "nothing"),
    "frames of equal indices": (lambda folder: frames(folder, 2, edit=one_index), "nothing"),
    "colours": (lambda folder: one(folder, edit=setting(SamplesPerPixel=3)), "colours"),
    "a file is cut": (cut, "cut"),
    "a file boasts": (boasting, "cut"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_makes_no_whole_volumes_is_refused(kind, tmp_path):
    make, rule = REFUSED[kind]
    make(tmp_path / "in")
    with pytest.raises(ValueError, match=RULES.get(rule, rule)):
        volumes(tmp_path / "in")


def test_a_volume_has_its_slices_in_the_order_of_their_places(tmp_path):
    one(tmp_path / "in", order=ORDER)
    (volume,) = volumes(tmp_path / "in")
    assert [ORDER[number] for number in volume.slices] == list(range(SLICES))
    assert volume.shape == (20, 18, 17)
    np.testing.assert_allclose(volume.affine, OBLIQUE, atol=1e-12)


def test_a_little_unevenness_is_that_of_rounding(tmp_path):
    one(tmp_path / "in", affine=classic_affine(spacing=(1, 1, 3)), edit=jitter(0.14))  # of 3 mm, less than a tenth
    assert len(volumes(tmp_path / "in")) == 1


def test_volumes_come_originals_first_then_by_echo_then_by_number(tmp_path):
    folder = tmp_path / "in"
    kinds = [("DERIVED", 3, 0), ("ORIGINAL", 20, 40), ("ORIGINAL", 3, 20), ("ORIGINAL", 3, 60)]
    for number, (kind, echo, begin) in enumerate(kinds):
        edit = numbered(lambda k, begin=begin: begin + k, EchoTime=str(echo), ImageType=[kind, "PRIMARY"])
        write_classic(folder, stored(), OBLIQUE, name=f"{number}-{{:02d}}", edit=edit)
    assert [volume.slices[0] // SLICES for volume in volumes(folder)] == [2, 3, 1, 0]


def test_what_differs_from_frame_to_frame_tells_no_volumes_apart(tmp_path):
    def index(group, volume, k):
        group.FrameContentSequence[0].DimensionIndexValues = [1, 1, k + 1]  # the third is said to be time

    write_enhanced(tmp_path / "in/a", [stored()], OBLIQUE, edit=index)
    assert len(volumes(tmp_path / "in")) == 1


def test_two_stacks_of_an_enhanced_file_are_two_volumes(tmp_path):
    def stack(group, volume, k):
        frame_index(lambda k: k)(group, volume, k)
        orientation, position, _ = dicom_affine(classic_affine("sagittal" if volume else "axial"))
        group.FrameContentSequence[0].DimensionIndexValues = [volume + 1, k + 1, 1]
        group.PlaneOrientationSequence = items(ImageOrientationPatient=orientation)
        group.PlanePositionSequence = items(ImagePositionPatient=position(k))

    write_enhanced(tmp_path / "in/a", [stored(), stored()], OBLIQUE, edit=stack)
    for volume, plane in zip(volumes(tmp_path / "in"), ("axial", "sagittal"), strict=True):
        np.testing.assert_allclose(volume.affine[:3, 2], classic_affine(plane)[:3, 2], atol=1e-12)
