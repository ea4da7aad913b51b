# SPDX-License-Identifier: Apache-2.0
"""From region labels to tissue classes."""

from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor

from scripts.tissue import MUSE_TISSUES, Tissue, TissueClassesd, tissue_classes


def test_every_label_has_one_tissue():
    regions = [region for regions in MUSE_TISSUES.values() for region in regions]
    assert len(regions) == len(set(regions)) == 149  # as many as the DLMUSE files have
    assert set(MUSE_TISSUES) == set(Tissue)


def test_labels_become_tissues_and_keep_their_geometry():
    affine = torch.diag(torch.tensor([2.0, 2.0, 2.0, 1.0]))
    labels = MetaTensor(torch.tensor([[[[0.0, 1, 4, 52]], [[35, 59, 207, 95]]]]), affine=affine)
    found = TissueClassesd("label")({"label": labels})["label"]
    assert found.dtype == torch.uint8
    assert found.flatten().tolist() == [0, 0, 1, 1, 3, 2, 2, 3]
    assert torch.equal(found.affine, labels.affine)
    assert labels.max() == 207  # untouched


def test_labels_of_freesurfer_are_recognised():
    labels = torch.tensor([0, 2, 41, 3, 42, 4, 24, 16, 1003, 2035, 77])
    assert tissue_classes(labels).tolist() == [0, 3, 3, 2, 2, 1, 0, 3, 2, 2, 3]
    with pytest.raises(ValueError, match=r"region labels 2, 3, 42 are not in the table"):
        tissue_classes(torch.tensor([2, 41, 3, 42, 4]), MUSE_TISSUES)


def test_labels_of_another_atlas_are_refused():
    with pytest.raises(ValueError, match=r"region labels 3, 12 are not in the table.*must be those of MUSE"):
        tissue_classes(torch.tensor([0, 3, 12]))
    with pytest.raises(ValueError, match=r"region labels 1\.5 are not in the table"):
        tissue_classes(torch.tensor([0, 1.5]))
    assert tissue_classes(torch.tensor([7]), {Tissue.WHITE: (7,)}).tolist() == [3]
