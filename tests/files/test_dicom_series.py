# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess

import nibabel as nib
import numpy as np
import pydicom
import pytest

from scripts.files import dicom_series
from scripts.files.dicom import find_series, read_volume, source_of
from scripts.files.dicom_derived import new_uid, refused_source
from scripts.files.dicom_series import stored_scale, write_series
from tests.helpers.dicom_files import PATIENT, stored, write_classic
from tests.helpers.dicom_kinds import OBLIQUE, frames, mosaics, setting, several

DERIVATION = "Restored for a test."


def derived(folder, target, change=lambda values: values * 0.91 + 3.3, volume=0):
    """Write what a change makes of a volume of a folder; its values and affine."""
    series = find_series(folder).volumes[volume].series
    image = read_volume(folder, series)
    values = change(np.asarray(image.get_fdata(), dtype=np.float32))
    write_series(target, values, image.affine, source_of(folder, series), "restored", DERIVATION)
    return values, image.affine


def slices(folder):
    return [pydicom.dcmread(file) for file in sorted(folder.iterdir())]


def by_pydicom(folder):
    return np.stack(
        [ds.pixel_array.T * float(ds.RescaleSlope) + float(ds.RescaleIntercept) for ds in slices(folder)], axis=-1
    )


def by_dcm2niix(folder, work, affine):
    dcm2niix = pytest.importorskip("dcm2niix")
    work.mkdir()
    subprocess.run([dcm2niix.bin, "-z", "n", "-f", "v", "-o", work, folder], check=True, capture_output=True)
    (file,) = work.glob("*.nii")
    image = nib.load(file)
    turn = nib.orientations.ornt_transform(nib.io_orientation(image.affine), nib.io_orientation(affine))
    return image.as_reoriented(turn)


def by_itk(folder):
    itk = pytest.importorskip("itk")
    names = itk.GDCMSeriesFileNames.New(UseSeriesDetails=True, Directory=str(folder))
    (uid,) = names.GetSeriesUIDs()
    image = itk.imread(names.GetFileNames(uid), itk.D, imageio=itk.GDCMImageIO.New())
    affine = np.eye(4)
    affine[:3, :3] = itk.array_from_matrix(image.GetDirection()) @ np.diag(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return np.transpose(itk.array_from_image(image)), np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def classic(folder):
    write_classic(folder, stored(), OBLIQUE, order=list(range(17))[::-1])


@pytest.mark.parametrize("kind", [classic, frames, lambda folder: mosaics(folder, 1)])
def test_all_readers_have_the_same_voxels_at_the_same_place(kind, tmp_path):
    kind(tmp_path / "in")
    values, affine = derived(tmp_path / "in", tmp_path / "out")
    read = by_pydicom(tmp_path / "out")
    half = float(slices(tmp_path / "out")[0].RescaleSlope) / 2
    assert half < 0.01
    np.testing.assert_allclose(read, values, rtol=0, atol=half * 1.001)
    converted = by_dcm2niix(tmp_path / "out", tmp_path / "converted", affine)
    np.testing.assert_array_equal(converted.get_fdata(), read)
    np.testing.assert_allclose(converted.affine, affine, atol=1e-4)
    voxels, place = by_itk(tmp_path / "out")
    np.testing.assert_array_equal(voxels, read)
    np.testing.assert_allclose(place, affine, atol=1e-6)
    own = read_volume(tmp_path / "out")
    np.testing.assert_allclose(own.get_fdata(), read, rtol=1e-6)
    np.testing.assert_allclose(own.affine, affine, atol=1e-6)


@pytest.mark.parametrize(("slope", "intercept"), [("1", "0"), ("2.5", "-7"), ("0.1221001", "0")])
def test_a_voxel_that_was_not_changed_comes_back_exactly(slope, intercept, tmp_path):
    write_classic(tmp_path / "in", stored(), OBLIQUE, edit=setting(RescaleSlope=slope, RescaleIntercept=intercept))
    derived(tmp_path / "in", tmp_path / "out", lambda values: values)
    exact = stored() * float(slope) + float(intercept)
    np.testing.assert_array_equal(by_pydicom(tmp_path / "out"), exact)


@pytest.mark.parametrize(
    ("low", "high", "slope", "intercept"),
    [(-40.0, 900.0, 1.0, 0.0), (0.0, 3e9, 1.0, 0.0), (5.0, 5.0, 1.0, 0.0), (-2.5e-7, 3e-7, 0.0, 0.0)],
)
def test_a_scale_holds_every_value_to_half_a_step(low, high, slope, intercept):
    values = np.linspace(low, high, 5001)
    scale = stored_scale(values, slope, intercept)
    pixels = scale.stored(values)
    np.testing.assert_allclose(pixels * scale.slope + scale.intercept, values, rtol=0, atol=scale.slope * 0.5000001)
    assert scale.slope <= max(abs(low), abs(high), high - low) / 2**14
    assert float(f"{scale.slope:.10g}") == pytest.approx(scale.slope, rel=1e-9)


def test_it_says_that_it_is_derived_and_from_what(tmp_path):
    classic(tmp_path / "in")
    derived(tmp_path / "in", tmp_path / "out")
    sources = {tuple(map(float, ds.ImagePositionPatient)): ds for ds in slices(tmp_path / "in")}
    made = slices(tmp_path / "out")
    assert [ds.InstanceNumber for ds in made] == list(range(1, 18))
    assert len({ds.SOPInstanceUID for ds in made} | {ds.SOPInstanceUID for ds in sources.values()}) == 34
    assert len({ds.SeriesInstanceUID for ds in made}) == 1
    for ds in made:
        source = sources[tuple(map(float, ds.ImagePositionPatient))]
        assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
        assert ds.ImageType == ["DERIVED", "SECONDARY", "OTHER"]
        assert ds.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
        series = ds.ReferencedSeriesSequence[0]
        assert series.SeriesInstanceUID == source.SeriesInstanceUID != ds.SeriesInstanceUID
        assert series.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
        assert (ds.DerivationDescription, ds.SeriesDescription, ds.SeriesNumber) == (DERIVATION, "T1 restored", 1001)
        assert (ds.StudyInstanceUID, ds.FrameOfReferenceUID) == (source.StudyInstanceUID, source.FrameOfReferenceUID)
        assert {name: str(ds.get(name)) for name in PATIENT} == PATIENT


def test_enhanced_frames_are_referred_to_by_their_numbers(tmp_path):
    frames(tmp_path / "in", 2, [(v, k) for k in range(17) for v in (0, 1)])
    derived(tmp_path / "in", tmp_path / "out", volume=1)
    made = slices(tmp_path / "out")
    numbers = [int(ds.SourceImageSequence[0].ReferencedFrameNumber) for ds in made]
    assert numbers == list(range(2, 35, 2))
    assert {(ds.SOPClassUID.name, int(ds.SeriesNumber)) for ds in made} == {("MR Image Storage", 1002)}


def test_text_of_the_patient_keeps_its_bytes(tmp_path):
    name = "Ivanov^Иван".encode("iso8859-5")
    write_classic(tmp_path / "in", stored(), OBLIQUE)
    for file in (tmp_path / "in").iterdir():  # not what it declares: a scanner's mistake
        file.write_bytes(file.read_bytes().replace(b"Doe^Jane", name[:8]))
    derived(tmp_path / "in", tmp_path / "out")
    assert all(name[:8] in file.read_bytes() for file in (tmp_path / "out").iterdir())


def test_equal_voxels_give_equal_bytes_and_others_another_series(tmp_path):
    classic(tmp_path / "in")
    for name, factor in (("a", 0.9), ("b", 0.9), ("c", 0.8)):
        derived(tmp_path / "in", tmp_path / name, lambda values, factor=factor: values * factor)
    a, b, _ = ([file.read_bytes() for file in sorted((tmp_path / name).iterdir())] for name in "abc")
    assert a == b
    assert slices(tmp_path / "a")[0].SeriesInstanceUID != slices(tmp_path / "c")[0].SeriesInstanceUID
    assert not {ds.SOPInstanceUID for ds in slices(tmp_path / "a")} & {
        ds.SOPInstanceUID for ds in slices(tmp_path / "c")
    }


def test_a_failure_leaves_the_former_series(tmp_path, monkeypatch):
    classic(tmp_path / "in")
    derived(tmp_path / "in", tmp_path / "out")
    before = [file.read_bytes() for file in sorted((tmp_path / "out").iterdir())]
    monkeypatch.setattr(dicom_series, "new_uid", lambda *parts: new_uid(*parts) if parts[-1] != "5" else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        derived(tmp_path / "in", tmp_path / "out")
    assert [file.read_bytes() for file in sorted((tmp_path / "out").iterdir())] == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, "its storage class is CT Image Storage"),
        ({"StudyInstanceUID": ""}, "it has no StudyInstanceUID"),
    ],
)
def test_what_nothing_can_be_derived_from_is_refused_by_name(tags, reason, tmp_path):
    write_classic(tmp_path, stored(), OBLIQUE, edit=setting(**tags))
    assert refused_source(source_of(tmp_path)).startswith(reason)


def test_echoes_become_series_of_their_own(tmp_path):
    several(tmp_path / "in", setting(EchoTime="3"), setting(EchoTime="9"))
    for volume in (0, 1):
        derived(tmp_path / "in", tmp_path / f"out{volume}", volume=volume)
    made = [slices(tmp_path / f"out{volume}")[0] for volume in (0, 1)]
    assert [ds.EchoTime for ds in made] == [3, 9]
    assert len({ds.SeriesInstanceUID for ds in made}) == 2
    assert [ds.SeriesNumber % 1000 for ds in made] == [1, 2]
