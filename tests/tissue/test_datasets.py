# SPDX-License-Identifier: Apache-2.0
"""Tissue masks with attributes, and T1-weighted slices with masks, as batches."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import torch

from scripts.data.cohort import load_datalist
from scripts.engines import AttributeBatch, LabelBatch
from scripts.tissue import load_tissue_slices, slice_attributes
from scripts.tissue.datasets import ImageMaskDataset, TissueSliceDataset, one_hot

NAMES = ("slice_level", "ventricle_area")


@pytest.fixture(scope="module")
def dataset(labelled_cohort) -> TissueSliceDataset:
    return TissueSliceDataset(load_datalist(labelled_cohort, "training"), NAMES, progress=False)


def test_a_batch_holds_masks_and_their_attributes(dataset):
    batch = dataset.__getitems__([3, 0])
    assert batch["image"].shape == (2, 4, *dataset.classes.shape[1:])
    assert torch.equal(batch["image"].argmax(1), dataset.classes[[3, 0]].long())
    assert torch.equal(batch["image"].sum(1), torch.ones(2, *dataset.classes.shape[1:]))
    masks = dataset.classes[[3, 0]].numpy()
    expected = slice_attributes(masks, dataset.tissue.spacing_mm, dataset.tissue.level[[3, 0]], NAMES)
    for column, name in enumerate(NAMES):
        assert batch["attributes"][:, column].tolist() == pytest.approx(expected[name].tolist())


def test_one_item_is_a_row_of_the_batch(dataset):
    item, batch = dataset[-1], dataset.__getitems__([len(dataset) - 1])
    assert item.keys() == batch.keys()
    assert all(torch.equal(item[name], batch[name][0]) for name in batch)


def test_the_engine_gets_attributes_beside_the_image(dataset):
    batch = dataset.__getitems__([0, 1])
    image, target, arguments, named = AttributeBatch(None)(batch, torch.device("cpu"))
    assert torch.equal(image, target)
    assert arguments == ()
    assert torch.equal(named["attributes"], batch["attributes"])


def test_one_hot_is_contiguous_float():
    hot = one_hot(torch.tensor([[[0, 3]]]))
    assert hot.tolist() == [[[[1, 0]], [[0, 0]], [[0, 0]], [[0, 1]]]]
    assert hot.is_contiguous()


def test_an_unknown_attribute_is_refused(labelled_cohort):
    with pytest.raises(ValueError, match="unknown"):
        TissueSliceDataset(load_datalist(labelled_cohort, "test"), ("area",), progress=False)


GRID = {"size": (48, 48), "centre": "brain"}


INTENSITY = np.array([0.0, 100.0, 300.0, 500.0])  # of the labelled cohort's classes


@pytest.fixture(scope="module")
def pairs(labelled_cohort) -> ImageMaskDataset:
    return ImageMaskDataset(load_datalist(labelled_cohort, "training"), progress=False, **GRID)


def test_masks_are_those_of_the_tissue_slices(pairs, labelled_cohort):
    alone = load_tissue_slices(load_datalist(labelled_cohort, "training"), progress=False, **GRID)
    assert alone.images is None
    np.testing.assert_array_equal(pairs.tissue.classes, alone.classes)
    np.testing.assert_array_equal(pairs.tissue.subject, alone.subject)


def test_an_image_lies_where_its_mask_does(pairs):
    """The images of the cohort are a function of the classes, so the mean of eight voxels is near the class's value."""
    expected = INTENSITY[pairs.classes.numpy()] / 500  # 500 is the 99.5th percentile
    image = pairs.images[:, 0].numpy()
    brain = expected > 0
    share = np.isclose(image, expected, atol=1e-4)[brain].mean()
    assert share > 0.6  # the others are pixels that two classes share
    for axis, step in ((1, 1), (1, -1), (2, 1), (2, -1)):
        assert np.isclose(np.roll(image, step, axis), expected, atol=1e-4)[brain].mean() < share - 0.02


def test_a_coarser_image_is_the_mean_of_its_voxels(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.zeros((20, 24, 12), np.int16)
    labels[2:18, 2:22, 2:10] = 100
    image = rng.uniform(0, 1, labels.shape).astype(np.float32)
    affine = np.diag([-2.0, -2.0, 2.0, 1.0])  # right to left, anterior to posterior: columns and rows as they are
    files = {}
    for key, volume in {"image": image, "label": labels}.items():
        files[key] = str(tmp_path / f"{key}.nii.gz")
        nib.save(nib.Nifti1Image(volume, affine), files[key])
    found = ImageMaskDataset([{"subject": "a", **files}], progress=False, size=(12, 10), min_area_mm2=1)
    blocks = image.reshape(10, 2, 12, 2, 6, 2).mean((1, 3, 5))[:, :, 1:5] / np.percentile(image, 99.5)
    oriented = found.images[:, 0].numpy().transpose(2, 1, 0)  # (columns, rows, slices): x, y, z
    np.testing.assert_allclose(oriented, blocks, atol=1e-3)  # noise alone: its zero is an estimate


def test_a_batch_and_an_item(pairs):
    batch = pairs.__getitems__([3, 0])
    assert batch["image"].shape == (2, 1, 48, 48)
    assert torch.equal(batch["label"].argmax(1), pairs.classes[[3, 0]].long())
    item = pairs[3]
    assert item.keys() == batch.keys()
    assert all(torch.equal(item[name], batch[name][0]) for name in batch)


def test_the_engine_gets_the_label_as_target_and_shows_it_when_asked(pairs):
    batch = pairs.__getitems__([0, 1])
    image, target, arguments, named = LabelBatch(None)(batch, torch.device("cpu"))
    assert torch.equal(image, batch["image"])
    assert torch.equal(target, batch["label"])
    assert (arguments, named) == ((), {})
    assert torch.equal(LabelBatch(None, show_label=True)(batch, torch.device("cpu"))[3]["mask"], batch["label"])


def test_an_image_that_cannot_be_read_is_named(pairs, labelled_cohort, tmp_path):
    item = load_datalist(labelled_cohort, "test")[0]
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"broken\.nii\.gz could not be used: "):
        ImageMaskDataset([{**item, "image": str(broken)}], progress=False)
