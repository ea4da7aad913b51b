# SPDX-License-Identifier: Apache-2.0
"""Situations that people met with other software, as they told it in public: what becomes of each here.

Each is rebuilt with own code on a synthetic head. The network finds nothing to restore, so a right result is the input.
"""

from __future__ import annotations

import gzip
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.helpers.dicom_files import stored
from tests.helpers.dicom_kinds import OBLIQUE, ORDER, SLICES, numbered, one, several, without
from tests.helpers.restoring import restore_folder
from tests.helpers.volume_files import affine, head, write_itk, write_nifti

LPS = affine("LPS", (2.0, 1.0, 3.0))
Written = tuple[np.ndarray, np.ndarray]
"""Voxels and affine, as they were written."""


def patched(
    path: Path, *fields: tuple[str, object], volume: np.ndarray | None = None, matrix: np.ndarray = LPS
) -> Written:
    """A head whose header says something else."""
    write_nifti(path, volume, matrix)
    content = bytearray(path.read_bytes())
    header = nib.Nifti1Header(content[:348], check=False)
    for name, value in fields:
        header[name] = value
    path.write_bytes(header.binaryblock + content[348:])
    return head() if volume is None else volume, matrix


def no_slope(folder: Path) -> Written:
    """LAYNII 26, fmriprep 2507: a slope of 0 or NaN is no slope."""
    patched(folder / "b.nii", ("scl_slope", np.nan), ("scl_inter", np.nan))
    return patched(folder / "a.nii", ("scl_slope", 0), ("scl_inter", 5))


def slope(folder: Path) -> Written:
    """nibabel 480: slope and intercept of a Philips scanner."""
    volume = head().astype(np.int16)
    patched(folder / "a.nii", ("scl_slope", 0.106186), ("scl_inter", -217.391312), volume=volume)
    return volume * 0.106186 - 217.391312, LPS


def one_volume_in_four_axes(folder: Path) -> Written:
    """fmriprep 792, ITK 3456: a T1w of four axes, of which the last has length 1."""
    write_nifti(folder / "a.nii", head().astype(np.float64)[..., None], LPS)
    return head(), LPS


def big_endian(folder: Path) -> Written:
    """MONAI 1664, MONAI PR 2325: bytes in the other order."""
    image = nib.Nifti1Image(head(), LPS, header=nib.Nifti1Header(endianness=">"))
    folder.mkdir(parents=True)
    nib.save(image, folder / "a.nii")
    assert (folder / "a.nii").read_bytes()[:4] == b"\0\0\1\x5c"
    return head(), LPS


def nifti_2(folder: Path) -> Written:
    """ITK 3639: NIfTI-2, which ITK cannot read."""
    folder.mkdir(parents=True)
    nib.save(nib.Nifti2Image(head(), LPS), folder / "a.nii.gz")
    return head(), LPS


def long_integers(folder: Path) -> Written:
    """nibabel 1046: 64-bit integers, which Python makes and nobody else reads."""
    volume = head().astype(np.int64)
    folder.mkdir(parents=True)
    nib.save(nib.Nifti1Image(volume, LPS, dtype=np.int64), folder / "a.nii")
    return volume, LPS


def unsigned_above_32767(folder: Path) -> Written:
    """dcmstack 49: intensities above 2^15 must not become negative."""
    volume = (head() * 90).clip(0, 65535).astype(np.uint16)
    assert volume.max() > 60000
    write_nifti(folder / "a.nii.gz", volume, LPS)
    return volume, LPS


def lowest_16_bits(folder: Path) -> Written:
    """dicom2nifti 144: a background of -32768 overflows when its sign is changed."""
    volume = np.where(head() > 0, head(), -32768).astype(np.int16)
    write_nifti(folder / "a.nii", volume, LPS)
    return volume, LPS


def conformed(folder: Path) -> Written:
    """FastSurfer 155: a head as FreeSurfer conforms it, LIA in 8 bits."""
    volume, matrix = (head() / 4).clip(0, 255).astype(np.uint8), affine("LIA", (1.0, 1.0, 1.0))
    write_nifti(folder / "a.nii.gz", volume, matrix)
    return volume, matrix


def axes_of_the_file(folder: Path) -> Written:
    """fmriprep 2583: an image comes back with its own axes, not those of a template."""
    matrix = affine("RPI", (1.0, 1.2, 0.9))
    write_nifti(folder / "a.nii", None, matrix)
    return head(), matrix


def qform_alone(folder: Path) -> Written:
    """nibabel 522, fmriprep 988: only a qform, of a left-handed grid; misread, the head is flipped."""
    matrix = affine("LAS", (2.0, 1.0, 3.0), tilt=0.2)
    image = nib.Nifti1Image(head(), matrix)
    image.set_sform(None, 0)
    image.set_qform(matrix, 1)
    folder.mkdir(parents=True)
    nib.save(image, folder / "a.nii.gz")
    return head(), matrix


def rounded_quaternion(folder: Path) -> Written:
    """nibabel 625: a qform of five digits, whose quaternion is a little too long; other readers take it."""
    matrix = np.diag([2.0, -2.0, -2.0, 1.0])
    image = nib.Nifti1Image(head(), matrix)
    image.set_sform(None, 0)
    image.set_qform(matrix, 1)
    content = bytearray(image.to_bytes())
    assert struct.unpack_from("<3f", content, 256) == (1, 0, 0)
    struct.pack_into("<f", content, 256, 1.00001)
    folder.mkdir(parents=True)
    (folder / "a.nii").write_bytes(content)
    with pytest.raises(ValueError, match="w2 should be positive"):
        nib.load(folder / "a.nii")
    return head(), matrix


def centred_on_the_origin(folder: Path) -> Written:
    """nibabel 182: the centre of the image is the origin, exactly."""
    matrix = np.diag([-1.0, 1.0, 1.0, 1.0])
    matrix[:3, 3] = [8.0, -10.5, -9.0]
    write_nifti(folder / "a.nii", None, matrix)
    return head(), matrix


def not_quite_orthogonal(folder: Path) -> Written:
    """ANTs 1675: an sform of another program, which is off by a few thousandths; ITK reads no such file."""
    matrix = np.array(
        [
            [0.995191, -0.009849, 0.097461, -95.0],
            [0.047470, 0.918793, -0.391875, -52.0],
            [-0.085687, 0.394617, 0.914842, -189.5],
            [0, 0, 0, 1],
        ]
    )
    write_nifti(folder / "a.nii.gz", None, matrix)
    return head(), matrix


def cosines_without_size(folder: Path) -> Written:
    """ITK 3514: an sform of direction cosines alone, beside other voxel sizes."""
    matrix = np.eye(4)
    matrix[:3, 3] = [-54.975697, -54.975697, -37.411999]
    return patched(
        folder / "a.nii", ("pixdim", [0, 0.865759, 0.865759, 0.796, 0, 0, 0, 0]), ("qform_code", 0), matrix=matrix
    )


def voxel_sizes_to_the_last_digit(folder: Path) -> Written:
    """spinalcordtoolbox 4025: 2.5 mm that become 2.499999 mm are another grid to the next program."""
    matrix = nib.affines.from_matvec(np.diag([0.351562, 0.351562, 2.5]) * [-1, 1, 1], [3.1, -7.3, 11.9])
    write_nifti(folder / "a.nii.gz", None, matrix)
    return head(), matrix


def nrrd(path: Path, space: str, directions: str, origin: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["NRRD0004", "type: float", "dimension: 3", f"space: {space}", "sizes: 17 22 19"]
    lines += [f"space directions: {directions}", "kinds: domain domain domain", "endian: little", "encoding: gzip"]
    text = "\n".join([*lines, f"space origin: {origin}", "", ""])
    path.write_bytes(text.encode() + gzip.compress(head().tobytes(order="F")))


def nrrd_lps(folder: Path) -> Written:
    """MONAI 3356: axes and affine of a NRRD file must belong together."""
    nrrd(folder / "a.nrrd", "left-posterior-superior", "(0.75,0,0) (0,0.75,0) (0,0,1)", "(-197.0,-371.0,-403)")
    return head(), nib.affines.from_matvec(np.diag([-0.75, -0.75, 1]), [197, 371, -403])


def nrrd_las(folder: Path) -> Written:
    """Slicer 8694: the axes of space of a NRRD file may have other directions than usual."""
    nrrd(folder / "a.nrrd", "left-anterior-superior", "(0,1,0) (0,0,-1) (-1.3,0,0)", "(86.5,-133.5,116.75)")
    return head(), np.array([[0, 0, 1.3, -86.5], [1, 0, 0, -133.5], [0, -1, 0, 116.75], [0, 0, 0, 1]])


def nrrd_ras(folder: Path) -> Written:
    """Slicer SVN PR 1270: what Slicer itself writes is RAS."""
    nrrd(folder / "a.nrrd", "right-anterior-superior", "(2,0,0) (0,2,0) (0,0,3)", "(1,2,3)")
    return head(), nib.affines.from_matvec(np.diag([2, 2, 3]), [1, 2, 3])


def defaced(folder: Path) -> Written:
    """MRIQC 1402: a defaced head, with a background of exactly 0."""
    volume = head()
    volume[:9, :, :8] = 0
    write_nifti(folder / "a.nii.gz", volume, LPS)
    return volume, LPS


def negative_voxels(folder: Path) -> Written:
    """MRIQC 847, fmriprep 2644: negative voxels, as combining echoes leaves them."""
    volume = head() + np.random.default_rng(0).normal(0, 20, head().shape).astype(np.float32)
    assert volume.min() < -50
    write_nifti(folder / "a.nii.gz", volume, LPS)
    return volume, LPS


def blank_slices(folder: Path) -> Written:
    """fmriprep 2428: slices without any signal at both ends."""
    volume = head()
    volume[..., :3] = volume[..., -3:] = 0
    write_nifti(folder / "a.nii", volume, LPS)
    return volume, LPS


def resource_forks(folder: Path) -> Written:
    """MONAI 8305: what macOS leaves beside each file is no image."""
    write_nifti(folder / "a.nii.gz", None, LPS)
    (folder / "._a.nii.gz").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        ")
    return head(), LPS


def letters(folder: Path) -> Written:
    """SimpleITK 1255, Slicer 3999, CaPTk 618: DICOM in a folder with a letter that is not ASCII, and a space."""
    one(folder / "tête, Sättiger + 6/ñ  ü")
    return stored(), OBLIQUE


def backwards(folder: Path) -> Written:
    """dcm2niix 786: instance numbers that do not follow the positions."""
    one(folder / "a", edit=numbered(lambda k: ORDER[k] + 1))
    return stored(), OBLIQUE


def anonymous(folder: Path) -> Written:
    """dcm2niix 341: instance numbers and much else were removed."""
    one(folder / "a", edit=without("InstanceNumber", "PatientID", "SeriesNumber", "StudyInstanceUID"))
    return stored(), OBLIQUE


def copied_by_the_archive(folder: Path) -> Written:
    """dcm2niix 837: the archive sent some files twice and three times."""
    one(folder / "a")
    for file in sorted((folder / "a").iterdir())[::4]:
        for number in (1, 2):
            shutil.copy(file, file.with_name(f"{file.name}({number}).dcm"))
    return stored(), OBLIQUE


RIGHT: list[Callable[[Path], Written]] = [
    no_slope, slope, one_volume_in_four_axes, big_endian, nifti_2, long_integers, unsigned_above_32767, lowest_16_bits,
    conformed, axes_of_the_file, qform_alone, rounded_quaternion, centred_on_the_origin, not_quite_orthogonal,
    cosines_without_size, voxel_sizes_to_the_last_digit, nrrd_lps, nrrd_las, nrrd_ras, defaced, negative_voxels,
    blank_slices, resource_forks, letters, backwards, anonymous, copied_by_the_archive,
]  # fmt: skip


@pytest.mark.parametrize("write", RIGHT, ids=lambda function: function.__name__)
def test_it_is_restored(write, tmp_path):
    volume, matrix = write(tmp_path / "in")
    assert restore_folder(tmp_path) is None
    results = sorted((tmp_path / "out").rglob("*.nii.gz"))
    assert results
    for result in results:
        image = nib.load(result)
        assert image.shape == volume.shape
        np.testing.assert_allclose(image.affine, matrix, atol=1e-6)
        np.testing.assert_allclose(image.get_fdata(), volume, rtol=0, atol=1e-6 * np.abs(volume).max())
        background = volume == volume[0, 0, 0]
        if (volume == volume[0, 0, 0]).sum() > 99:
            assert np.ptp(image.get_fdata()[background]) == 0
        if write is voxel_sizes_to_the_last_digit:
            assert image.header.get_zooms() == tuple(np.float32([0.351562, 0.351562, 2.5]))


def not_compressed(folder: Path) -> None:
    """nibabel 898: called .nii.gz, but not compressed."""
    write_nifti(folder / "a.nii").rename(folder / "a.nii.gz")


def nothing_but_nan(folder: Path) -> None:
    """nibabel 1002: every voxel is NaN."""
    write_nifti(folder / "a.nii.gz", np.full((17, 22, 19), np.nan, np.float32))


def shorter_than_it_says(folder: Path) -> None:
    """nibabel 537: expected 275,103,280 bytes, got 2,371,580."""
    path = write_nifti(folder / "a.nii")
    path.write_bytes(path.read_bytes()[:5000])


def nrrd_in_part(folder: Path) -> None:
    """Slicer 8346: fread got only 62,273 things, not 19,222,528."""
    path = write_itk(folder / "a.nrrd", head())
    path.write_bytes(path.read_bytes()[:9000])


def nothing(folder: Path) -> None:
    """legacy BIDS validator 52: a file of zero bytes."""
    folder.mkdir(parents=True)
    (folder / "a.nii.gz").touch()


def negative_size(folder: Path) -> None:
    """nibabel 548: a dimension of -1, which stood for more than 32,767."""
    patched(folder / "a.nii", ("dim", [3, -1, 22, 19, 1, 1, 1, 1]))


def two_of_a_name(folder: Path) -> None:
    """Slicer 5378: of A.nii beside A.nii.gz, the voxels of the one are shown as those of the other."""
    write_nifti(folder / "a.nii", head(), LPS)
    write_nifti(folder / "a.nii.gz", head(seed=1), LPS)


def a_slice_is_missing(folder: Path) -> None:
    """dcm2niix 539: one distance of 2.4 mm between many of 1.2 mm."""
    one(folder / "a", skip=[9])


def not_parallel(folder: Path) -> None:
    """dcm2niix 427: some slices of the series lie in another direction."""

    def tilt(ds, k):
        if k > 8:
            ds.ImageOrientationPatient = ["1", "0", "0", "0", "0.9", "0.43589"]

    one(folder / "a", edit=tilt)


REFUSED = {
    not_compressed: "the file is not compressed as its name says",
    nothing_but_nan: "every voxel is NaN",
    shorter_than_it_says: "truncated",
    nrrd_in_part: "truncated",
    nothing: "the file is empty",
    negative_size: "damaged",
    two_of_a_name: "its result a_restored.nii.gz is that of a.nii already: rename one of the two.",
    a_slice_is_missing: "not evenly spaced",
    not_parallel: "its slices lie in several directions",
}


@pytest.mark.parametrize("write", REFUSED, ids=lambda function: function.__name__)
def test_it_is_refused_by_name(write, tmp_path, capsys):
    write(tmp_path / "in")
    write_nifti(tmp_path / "in/good.nii")  # mriqc 1318: one that fails must not end all
    assert restore_folder(tmp_path).startswith("error: 1 of ")
    report = json.loads((tmp_path / "out/report.json").read_text())
    (skipped,) = report["skipped"]
    assert REFUSED[write] in skipped["reason"]
    assert "\n" not in skipped["reason"]
    assert capsys.readouterr().err.count(f"skipped {skipped['name']}: {skipped['reason']}\n") == 1
    assert "good.nii" in [entry["name"] for entry in report["restored"]]
    if write is two_of_a_name:
        np.testing.assert_array_equal(nib.load(tmp_path / "out/a_restored.nii.gz").get_fdata(), head())


def test_each_series_of_a_folder_has_its_own_result(tmp_path):
    """dcm2niix 387, heudiconv 77: several series in a folder, of which one is as another, or comes first."""
    for number, seed in ((3, 0), (12, 1)):
        one(
            tmp_path / "in/a",
            stored(seed=seed),
            name=f"{number}-{{:03d}}",
            SeriesNumber=str(number),
            SeriesInstanceUID=f"1.2.{number}",
        )
    assert restore_folder(tmp_path) is None
    for number, seed in ((3, 0), (12, 1)):
        image = nib.load(tmp_path / f"out/a_series-{number}_restored.nii.gz")
        np.testing.assert_array_equal(image.get_fdata(), stored(seed=seed))


def test_each_acquisition_of_a_series_is_a_volume(tmp_path):
    """dcm2niix 721: several acquisitions in one series, whose slices must not be mixed."""
    edits = [numbered(lambda k, first=first: k + first, AcquisitionNumber=str(first)) for first in (1, 1 + SLICES)]
    volumes, matrix = several(tmp_path / "in/a", *edits)
    assert restore_folder(tmp_path) is None
    for number, volume in enumerate(volumes, 1):
        image = nib.load(tmp_path / f"out/a_e{number}_restored.nii.gz")
        np.testing.assert_array_equal(image.get_fdata(), volume)
        np.testing.assert_allclose(image.affine, matrix, atol=1e-5)


def test_what_is_there_is_complete_and_not_done_again(tmp_path, capsys):
    """fmriprep 1881, nnUNet 2513, LesionLocator 7: after a crash, which results can be used, and what is left to do?"""
    for name in "abc":
        write_nifti(tmp_path / f"in/{name}.nii")
    restore_folder(tmp_path)
    (tmp_path / "out/b_restored.json").unlink()  # written after the image
    (tmp_path / "out/c_restored.nii.gz").rename(tmp_path / "out/.partial-1-2-c_restored.nii.gz")
    capsys.readouterr()
    assert restore_folder(tmp_path, skip_existing=True) is None
    told = capsys.readouterr().err
    assert [word for word in ("kept a.nii: ", "restored b.nii: ", "restored c.nii: ") if word not in told] == []
    assert list((tmp_path / "out").glob(".*")) == []
