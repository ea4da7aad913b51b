# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from scripts.data.given_brain import given_brain, load_head
from scripts.data.image_folder import ImageFile
from tests.helpers.volume_files import affine, head, write_nifti

SHAPE = (20, 22, 18)
HEAD = head(SHAPE)
INSIDE = HEAD > 0
REGIONS = np.where(INSIDE, np.choose(np.indices(SHAPE)[0] % 2 + 2 * (np.indices(SHAPE)[1] > 10), [2, 3, 41, 42]), 0)


def _image(folder: Path, labels: dict[str, np.ndarray] | None = None, masks: dict[str, np.ndarray] | None = None):
    path = write_nifti(folder / "p1_T1.nii.gz", HEAD)
    files = [
        tuple(
            write_nifti(folder / f"{name}.nii.gz", volume.astype(np.float32)) for name, volume in (given or {}).items()
        )
        for given in (labels, masks)
    ]
    return ImageFile(path, "p1", labels=files[0], masks=files[1]), load_head(path)


def _tumour() -> np.ndarray:
    labels = np.zeros(SHAPE)
    labels[6:14, 6:14, 6:14] = 2
    labels[8:12, 8:12, 8:12] = 4
    labels[9, 9, 9] = 1
    return labels


def _small() -> np.ndarray:
    mask = np.zeros(SHAPE)
    mask[8:13, 8:13, 8:13] = 1
    return mask


@pytest.mark.parametrize("labels", [REGIONS, INSIDE, INSIDE * 255.0], ids=["aseg", "mask", "255"])
def test_labels_that_show_a_brain(tmp_path: Path, labels: np.ndarray):
    image, volume = _image(tmp_path, {"p1_seg": labels})
    found = given_brain(image, volume)
    assert found.label == image.labels[0]
    assert (found.mask, found.not_used) == (None, {})
    assert found.inside is not None
    assert np.mean(found.inside == INSIDE) > 0.95


NO_BRAINS = {
    "tumour": (_tumour(), r"its values 0, 1, 2, 4 are neither those of a mask .*MUSE.*FreeSurfer"),
    "lesion": (_small(), r"it marks \d\.\d% of the head: a brain has more"),
    "everything": (np.ones(SHAPE), "its values 1 are neither"),
    "empty": (np.zeros(SHAPE), "it has no voxel above 0"),
    "intensities": (HEAD, "its values 0, .* are neither"),  # FCP-INDI/C-PAC 2266: the brain in place of its mask
    "interpolated": (REGIONS * 0.5, "its values 0, 1, 1.5, 20.5, 21 are neither"),
}


@pytest.mark.parametrize("kind", ["labels", "masks"])
@pytest.mark.parametrize(("volume", "reason"), NO_BRAINS.values(), ids=NO_BRAINS)
def test_what_shows_no_brain_is_not_used(tmp_path: Path, volume: np.ndarray, reason: str, kind: str):
    image, head_volume = _image(tmp_path, **{kind: {"p1_x": volume}})
    found = given_brain(image, head_volume)
    assert (found.label, found.mask, found.inside) == (None, None, None)
    assert list(found.not_used) == [tmp_path / "p1_x.nii.gz"]
    with pytest.raises(ValueError, match=rf"its (label file|mask) p1_x.nii.gz shows no brain: {reason}"):
        given_brain(image, head_volume, strict=["label", "mask"])


def test_the_first_that_shows_a_brain_is_used(tmp_path: Path):
    image, volume = _image(tmp_path, {"a": _tumour(), "b": REGIONS}, {"c": _small(), "d": INSIDE * 0.9})
    found = given_brain(image, volume)
    assert (found.label, found.mask) == (tmp_path / "b.nii.gz", tmp_path / "d.nii.gz")
    assert list(found.not_used) == [tmp_path / "a.nii.gz", tmp_path / "c.nii.gz"]
    np.testing.assert_array_equal(found.inside, INSIDE)  # the mask wins, and is taken as it is


def test_probabilities_are_cut_at_one_half(tmp_path: Path):
    image, volume = _image(tmp_path, masks={"p": np.where(INSIDE, 0.7, 0.2)})
    np.testing.assert_array_equal(given_brain(image, volume).inside, INSIDE)


def test_another_grid_and_a_damaged_file_are_errors_that_name_the_file(tmp_path: Path):
    image, volume = _image(tmp_path, {"p1_seg": REGIONS})
    write_nifti(image.labels[0], REGIONS.astype(np.float32), affine(spacing=(2.0, 2.0, 3.0)))
    with pytest.raises(ValueError, match=r"its label file p1_seg.nii.gz is on another grid"):
        given_brain(image, volume)
    image.labels[0].write_bytes(b"x" * 500)
    with pytest.raises(ValueError, match=r"its label file p1_seg.nii.gz cannot be read: "):
        given_brain(image, volume)


def test_the_checksum_of_a_compressed_file_counts(tmp_path: Path):
    path = write_nifti(tmp_path / "x.nii.gz", HEAD)
    content = bytearray(path.read_bytes())
    content[-6] ^= 1  # of the checksum itself, so that all voxels stay right
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"the compressed file is damaged \(CRC check failed .*\): copy it again"):
        load_head(path)
    path.write_bytes(gzip.compress(gzip.decompress(write_nifti(path, HEAD).read_bytes())) + b"\0" * 512)
    assert load_head(path).shape == (1, *SHAPE)  # padded with zeros, as tapes and some tools do
