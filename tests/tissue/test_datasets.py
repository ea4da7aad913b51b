# SPDX-License-Identifier: Apache-2.0
"""Tissue masks with attributes, as batches."""

from __future__ import annotations

import pytest
import torch

from scripts.data.cohort import load_datalist
from scripts.engines import AttributeBatch
from scripts.tissue import slice_attributes
from scripts.tissue.datasets import TissueSliceDataset, one_hot

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
