# SPDX-License-Identifier: Apache-2.0
"""Measures of heads of boxes, in closed form."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from scripts.normative import MEASURES, head_measures, measure_heads
from tests.helpers.box_cohort import BRAIN, MM3, VENTRICLE, WHITE, box_head
from tests.helpers.volume_files import affine


def _saved(labels, path) -> dict[str, str]:
    nib.save(nib.Nifti1Image(labels, affine("PSR")), path)
    return {"subject": path.name, "label": str(path)}


def test_a_box_has_the_measures_of_a_box(tmp_path):
    measures = head_measures(_saved(box_head(ventricle=12), tmp_path / "a.nii.gz"))
    assert set(measures) == set(MEASURES)
    brain, ventricle = np.prod(BRAIN) * MM3 / 1000, 12 * 8 * 8 * MM3 / 1000  # mL
    white = 20 * 10 * 20 * MM3 / 1000 - ventricle
    assert measures["brain_volume"] == pytest.approx(brain)
    assert measures["ventricle_volume"] == pytest.approx(ventricle)
    assert measures["white_volume"] == pytest.approx(white)
    assert measures["grey_volume"] == pytest.approx(brain - white - ventricle)
    assert measures["ventricle_share"] == pytest.approx(ventricle / brain)
    assert measures["grey_share"] == pytest.approx((brain - white - ventricle) / brain)
    assert measures["aspect"] == pytest.approx(36 / 32, rel=0.01)
    assert measures["ventricle_asymmetry"] == pytest.approx(0, abs=1e-6)


def test_a_row_for_each_head(tmp_path):
    items = [_saved(box_head(length), tmp_path / f"{length}.nii.gz") for length in (8, 16)]
    table = measure_heads(items, progress=False)
    assert table["subject"].tolist() == ["8.nii.gz", "16.nii.gz"]
    assert table["ventricle_volume"].tolist() == pytest.approx([8 * 64 * MM3 / 1000, 16 * 64 * MM3 / 1000])


def test_a_head_without_labels_or_without_a_tissue_is_refused(tmp_path):
    with pytest.raises(ValueError, match="subject a has no label file"):
        head_measures({"subject": "a"})
    labels = box_head(8)
    labels[labels == VENTRICLE] = WHITE
    with pytest.raises(ValueError, match=r"the labels of subject b\.nii\.gz have no ventricle"):
        head_measures(_saved(labels, tmp_path / "b.nii.gz"))
