# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from scripts.data.cohort import load_cohort, load_datalist
from scripts.data.demo.cohort import ORIENTATIONS, ensure_demo_cohort
from scripts.data.demo.head import REGIONS, TISSUES, head_atlas, make_head, region_labels
from scripts.data.split import PARTS
from scripts.tissue import Tissue, tissue_classes

COARSE_MM = 4.0


@pytest.fixture(scope="module")
def cohort_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_demo_cohort(tmp_path_factory.mktemp("demo") / "cohort", num_subjects=4, spacing_mm=COARSE_MM)


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_atlas_fractions_sum_to_one():
    fractions, brain, affine = head_atlas(COARSE_MM)
    assert fractions.shape == (len(TISSUES), *brain.shape)
    np.testing.assert_allclose(fractions.sum(axis=0), 1.0, atol=1e-5)  # float32
    np.testing.assert_allclose(np.abs(np.diag(affine)), [COARSE_MM] * 3 + [1.0])


def test_default_grid_is_that_of_a_head_at_2_mm():
    head = make_head(seed=0)
    assert head.image.shape == head.label.shape == (96, 120, 104)
    volume_ml = np.count_nonzero(head.label) * 8 / 1000
    assert 1200 < volume_ml < 2600  # the template's brain is larger than most (about 1900 ml with its fluid)


@pytest.mark.parametrize("seed", [1, 2])
def test_head_looks_like_a_t1_image(seed):
    head = make_head(seed, spacing_mm=COARSE_MM)
    air, fluid, gray, white = head.image[:3, :3], *(head.image[head.label == k] for k in (1, 2, 3))
    assert air.mean() < 0.02
    assert (head.image == 0).mean() > 0.15
    assert fluid.mean() + 0.1 < gray.mean() < white.mean() - 0.1
    outside = (head.label == 0) & (head.image > 0.3)
    assert outside.sum() > 0.1 * np.count_nonzero(head.label)  # scalp, face and neck
    assert np.isfinite(head.image).all()
    assert head.image.min() == 0


def test_age_widens_the_fluid():
    young, old = (np.count_nonzero(make_head(3, age, COARSE_MM).label == 1) for age in (20.0, 80.0))
    assert old > 1.2 * young


def test_same_seed_gives_the_same_head_and_another_seed_another():
    first, again, other = (make_head(seed, spacing_mm=COARSE_MM).image for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).mean() > 0.02


def test_regions_are_those_of_real_cohorts():
    head = make_head(seed=4, age=60.0)
    regions = region_labels(head.label, 2.0)
    tissues = tissue_classes(torch.from_numpy(regions)).numpy()
    volume_ml = {tissue: np.count_nonzero(tissues == tissue) * 8 / 1000 for tissue in Tissue}
    assert 5 < volume_ml[Tissue.VENTRICLE] < 60
    agree = tissues == np.choose(head.label, [0, 0, 2, 3])
    assert agree[head.label > 0].mean() > 0.97  # all but the ventricles
    right, left = (np.argwhere(regions == label)[:, 0].mean() for label in REGIONS["ventricle"])
    assert right > left
    np.testing.assert_array_equal(regions > 0, head.label > 0)


def test_cohort_is_the_same_byte_for_byte(cohort_dir, tmp_path):
    again = ensure_demo_cohort(tmp_path / "again", num_subjects=4, spacing_mm=COARSE_MM)
    assert _content(again) == _content(cohort_dir)


def test_cohort_has_the_schema_of_any_cohort(cohort_dir):
    cohort = load_cohort(cohort_dir)
    assert cohort["name"] == "demo"
    assert cohort["plane"] == "sagittal"
    items = [item for part in PARTS for item in cohort[part]]
    assert sorted(item["subject"] for item in items) == [f"demo-{k:02d}" for k in range(1, 5)]
    assert all(len(cohort[part]) >= 1 for part in PARTS)
    for item in items:
        assert item["sex"] in ("F", "M")
        assert 20 < item["age"] < 80
        assert item["spacing_mm"] == [COARSE_MM] * 3
        middle = item["shape"][2] // 2
        assert middle in item["slices"]
        assert 0 not in item["slices"]


def test_files_are_aligned_and_oriented_in_turn(cohort_dir):
    items = [item for part in PARTS for item in load_datalist(cohort_dir, part)]
    for index, item in enumerate(sorted(items, key=lambda item: item["subject"])):
        image, label = nib.load(item["image"]), nib.load(item["label"])
        assert "".join(nib.aff2axcodes(image.affine)) == ORIENTATIONS[index % len(ORIENTATIONS)]
        np.testing.assert_array_equal(image.affine, label.affine)
        intensities, classes = image.get_fdata(), np.asarray(label.dataobj)
        assert set(np.unique(classes)) == {0, *(label for labels in REGIONS.values() for label in labels)}
        white, gray, ventricle = (
            intensities[np.isin(classes, REGIONS[kind])].mean() for kind in ("white", "gray", "ventricle")
        )
        assert white > 1.2 * gray > 1.2 * ventricle
        assert 300 < np.percentile(intensities, 99.5) < 2000


def test_a_finished_cohort_is_left_alone_and_a_stale_one_replaced(cohort_dir, tmp_path):
    folder = tmp_path / "cohort"
    made = ensure_demo_cohort(folder, num_subjects=4, spacing_mm=COARSE_MM) / "dataset.json"
    before = made.stat().st_mtime_ns
    ensure_demo_cohort(folder, num_subjects=4, spacing_mm=COARSE_MM)
    assert made.stat().st_mtime_ns == before
    ensure_demo_cohort(folder, num_subjects=5, spacing_mm=COARSE_MM)
    assert json.loads((folder / "demo_cohort.json").read_text())["num_subjects"] == 5
    assert len(list((folder / "images").iterdir())) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["cohort"]  # no temporary folder is left


def test_another_folder_is_not_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"is no demo cohort\. Choose another folder"):
        ensure_demo_cohort(tmp_path, num_subjects=4)
    with pytest.raises(ValueError, match="at least 4 subjects, got 3"):
        ensure_demo_cohort(tmp_path / "new", num_subjects=3)
