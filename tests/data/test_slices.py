# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from torch.utils.data import DataLoader

from scripts.data.slices import SliceDataset, identity_collate, subject_key


def item(subject: str, slices: list[int], height: int = 24) -> dict:
    volume = torch.arange(height * 16 * 6, dtype=torch.float32).view(1, height, 16, 6) / 5000
    return {"image": volume, "subject": subject, "slices": slices}


def test_batches_hold_the_kept_slices_with_their_names():
    data = [item("a", [1, 2]), item("b", [4])]
    dataset = SliceDataset(data, transform=dict, progress=False)
    batches = list(DataLoader(dataset, batch_size=2, collate_fn=identity_collate))
    assert [b["image"].shape for b in batches] == [(2, 1, 24, 16), (1, 1, 24, 16)]
    assert batches[0]["subject"].tolist() == [subject_key("a")] * 2
    assert batches[0]["slice"].tolist() == [1, 2]
    # half precision keeps 11 bits
    torch.testing.assert_close(batches[1]["image"][0], data[1]["image"][..., 4], rtol=2**-11, atol=0)
    assert dataset[2]["image"].shape == (1, 24, 16)
    assert dataset[2]["image"].dtype == torch.float32
    assert torch.equal(dataset[-1]["image"], dataset[2]["image"])
    assert [int(one["slice"]) for one in dataset] == [1, 2, 4]


def test_smaller_subjects_are_padded_never_cropped():
    dataset = SliceDataset([item("a", [0], height=20), item("b", [0], height=27)], transform=dict, progress=False)
    assert dataset.images.shape == (2, 1, 32, 16)
    assert dataset.images[0].sum() == pytest.approx(float(item("a", [0], 20)["image"][..., 0].half().sum()), rel=1e-3)


def test_same_content_for_any_number_of_readers():
    data = [item(name, [0, 3, 5]) for name in "abcdef"]
    one, many = (SliceDataset(data, transform=dict, num_workers=n, progress=False) for n in (1, 4))
    assert torch.equal(one.images, many.images)
    assert torch.equal(one.subjects, many.subjects)


def test_slices_outside_the_volume_and_unreadable_files_are_named():
    with pytest.raises(ValueError, match="a: slices must be indices below 6, got 2 to 9"):
        SliceDataset([item("a", [2, 9])], transform=dict, progress=False)
    with pytest.raises(ValueError, match="got none"):
        SliceDataset([item("a", [])], transform=dict, progress=False)

    def broken(_: dict) -> dict:
        raise RuntimeError("header is torn")

    with pytest.raises(ValueError, match=r"x\.nii could not be read: header is torn"):
        SliceDataset([{"image": "x.nii", "subject": "x", "slices": [0]}], transform=broken, progress=False)
