# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from scripts.files.dicom import find_series, read_volume, source_of
from scripts.files.dicom_segmentation import Segment, refused_segmentation, write_segmentation
from tests.helpers.dicom_files import PATIENT, stored, write_classic
from tests.helpers.dicom_kinds import OBLIQUE, frames, mosaics, two_files

SEGMENTS = [
    Segment(2, "2 left insula, 0.10 ml", "p .04. Warning: outside."),
    Segment(5, "5 brain stem, 0.02 ml", "p .05"),
]


def regions(shape=(20, 18, 17)):
    labels = np.zeros(shape, dtype=np.int32)
    labels[2:5, 3:9, 4:6] = 2
    labels[10:12, 11:13, 13] = 5
    return labels


def written(folder, path, volume=0):
    source = source_of(folder, find_series(folder).volumes[volume].series)
    write_segmentation(path, regions(), SEGMENTS, source, "what it is")
    hd = pytest.importorskip("highdicom")
    return hd.seg.segread(path)


@pytest.mark.parametrize("enhanced", [False, True])
def test_highdicom_reads_the_regions_where_they_are(enhanced, tmp_path):
    pytest.importorskip("highdicom")
    make = frames if enhanced else lambda folder: write_classic(folder, stored(), OBLIQUE, order=list(range(17))[::-1])
    make(tmp_path / "in")
    made = written(tmp_path / "in", tmp_path / "a.dcm")
    affine = read_volume(tmp_path / "in").affine
    volume = made.get_volume(combine_segments=True)
    found = np.argwhere(volume.array > 0)
    lps = np.c_[found, np.ones(len(found))] @ volume.affine.T
    voxels = np.rint(lps @ np.diag([-1, -1, 1, 1]) @ np.linalg.inv(affine).T)[:, :3].astype(int)
    back = np.zeros_like(regions())
    back[tuple(voxels.T)] = np.array([0, 2, 5])[volume.array[tuple(found.T)]]
    np.testing.assert_array_equal(back, regions())


def test_segments_have_names_colours_and_what_is_to_be_known(tmp_path):
    pytest.importorskip("highdicom")
    write_classic(tmp_path / "in", stored(), OBLIQUE)
    made = written(tmp_path / "in", tmp_path / "a.dcm")
    assert [item.SegmentLabel for item in made.SegmentSequence] == [segment.label for segment in SEGMENTS]
    assert [item.SegmentDescription for item in made.SegmentSequence] == [segment.description for segment in SEGMENTS]
    assert len({tuple(item.RecommendedDisplayCIELabValue) for item in made.SegmentSequence}) == 2
    assert {name: str(made.get(name)) for name in PATIENT} == PATIENT
    source = source_of(tmp_path / "in")
    used = {
        item.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        for item in made.PerFrameFunctionalGroupsSequence
    }
    assert used == {source.slices[k][0].instance for k in (4, 5, 13)}
    assert made.ReferencedSeriesSequence[0].SeriesInstanceUID == source.slices[0][0].series != made.SeriesInstanceUID


def test_frames_of_the_right_volume_are_referred_to(tmp_path):
    pytest.importorskip("highdicom")
    frames(tmp_path / "in", 2, [(v, k) for k in range(17) for v in (0, 1)])
    made = written(tmp_path / "in", tmp_path / "a.dcm", volume=1)
    numbers = sorted(
        int(item.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber)
        for item in made.PerFrameFunctionalGroupsSequence
    )
    assert numbers == [10, 12, 28]


def test_equal_regions_give_equal_bytes(tmp_path):
    pytest.importorskip("highdicom")
    write_classic(tmp_path / "in", stored(), OBLIQUE)
    for name in ("a", "b"):
        written(tmp_path / "in", tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_a_segmentation_cannot_refer_to_is_refused_by_name(tmp_path):
    pytest.importorskip("highdicom")
    mosaics(tmp_path / "mosaic", 1)
    two_files(tmp_path / "files")
    assert refused_segmentation(source_of(tmp_path / "mosaic")).startswith("it is a mosaic")
    found = find_series(tmp_path / "files").volumes
    assert [refused_segmentation(source_of(tmp_path / "files", volume.series)) for volume in found] == ["", ""]


def test_the_package_that_is_missing_is_named(monkeypatch, tmp_path):
    write_classic(tmp_path, stored(), OBLIQUE)
    monkeypatch.setattr("scripts.files.dicom_segmentation.find_spec", lambda name: None)
    assert "need the package highdicom: pip install 'brain-mri-autoencoders[dicom]'" in refused_segmentation(
        source_of(tmp_path)
    )
