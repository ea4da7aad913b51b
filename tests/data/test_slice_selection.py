# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scripts.anatomy.brain_mask import brain_from_labels
from scripts.data.slice_selection import BRAIN_AREA_MM2, RULES, select_slices, selection_threshold, slice_statistic

PUBLISHED_PIXEL_MM2 = 0.9375**2
PUBLISHED_SLICE_MM, SHARED_SLICE_MM = 1.2, 2.0


@pytest.fixture(scope="module")
def published(real_data: Path) -> pd.DataFrame:
    return pd.read_csv(real_data / "ixi_slice_statistics.csv.gz")


@pytest.mark.parametrize(
    ("rule", "column", "scale", "kept"),
    [
        ("brain", "brain_pixels", PUBLISHED_PIXEL_MM2, 59_278),
        ("nonzero_count", "nonzero_count", PUBLISHED_PIXEL_MM2, 65_095),
        ("nonzero_mean", "nonzero_mean", 1.0, 65_095),
    ],
)
def test_published_selections(published: pd.DataFrame, rule: str, column: str, scale: float, kept: int):
    assert len(published) == 86_794
    assert np.count_nonzero(select_slices(published[column] * scale, rule)) == kept


def test_brain_rule_agrees_with_the_published_slices(real_data: Path):
    """First and last kept slice of real heads, on another grid and with another brain mask, within 1.5 slices."""
    import nibabel as nib

    heads = real_data / "ixi_hh_2mm"
    table = pd.read_csv(heads / "subjects.csv").dropna(subset=["thesis_slice_first"]).iloc[::12]
    differences = []
    for row in table.itertuples():
        labels = np.asarray(nib.load(heads / "labels" / f"{row.subject}_T1_DLMUSE.nii.gz").dataobj)
        statistic = slice_statistic(labels, "brain", SHARED_SLICE_MM**2, brain_from_labels(labels))
        kept = np.flatnonzero(select_slices(statistic))
        for index, published_index in ((kept[0], row.thesis_slice_first), (kept[-1], row.thesis_slice_last)):
            position = (published_index + 0.5) * PUBLISHED_SLICE_MM / SHARED_SLICE_MM - 0.5
            differences.append(abs(index - position))
    assert len(differences) >= 20
    assert np.mean(differences) < 0.5  # 0.31 over all 166 heads


def test_brain_rule_does_not_depend_on_the_voxel_size():
    fine = np.zeros((80, 64, 5), dtype=bool)
    fine[8:70, 4:60, 1:3] = True  # 3472 mm2 at 1 mm
    fine[8:40, 4:60, 3] = True  # 1792 mm2
    coarse = fine[::2, ::2]
    for brain, pixel_area in ((fine, 1.0), (coarse, 4.0)):
        statistic = slice_statistic(brain, "brain", pixel_area, brain)
        np.testing.assert_allclose(statistic, [0, 3472, 3472, 1792, 0])
        assert select_slices(statistic).tolist() == [False, True, True, False, False]


def test_threshold_is_strict():
    assert BRAIN_AREA_MM2 == 3000 * PUBLISHED_PIXEL_MM2
    assert select_slices([BRAIN_AREA_MM2, np.nextafter(BRAIN_AREA_MM2, np.inf)]).tolist() == [False, True]


def test_nonzero_statistics():
    volume = np.zeros((4, 6, 3), dtype=np.float32)
    volume[:2, :3, 1] = 10.0
    volume[..., 2] = 5.0
    np.testing.assert_allclose(slice_statistic(volume, "nonzero_count", 2.0), [0, 12, 48])
    means = slice_statistic(volume, "nonzero_mean", 2.0)
    np.testing.assert_allclose(means, np.array([0, 10, 5]) / np.percentile(volume, 99.5))
    np.testing.assert_allclose(slice_statistic(volume * 37, "nonzero_mean", 2.0), means, rtol=1e-6)  # scanner gain


def test_an_explicit_threshold_wins():
    assert select_slices([1.0, 2.0, 3.0], "nonzero_mean", threshold=2.5).tolist() == [False, False, True]


def test_errors():
    volume = np.ones((2, 3, 4))
    with pytest.raises(ValueError, match="one of brain, nonzero_count, nonzero_mean, got 'deepbrain'"):
        select_slices([1.0], "deepbrain")
    with pytest.raises(ValueError, match="got 'x'"):
        slice_statistic(volume, "x", 1.0)
    with pytest.raises(ValueError, match="needs a brain mask"):
        slice_statistic(volume, "brain", 1.0)
    with pytest.raises(ValueError, match="must be finite"):
        selection_threshold([1.0, np.nan], RULES[2])
