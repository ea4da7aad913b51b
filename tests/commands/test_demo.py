# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from matplotlib.image import imread
from monai.data import MetaTensor

from scripts.commands.demo import demo
from scripts.data.demo.cohort import ensure_demo_cohort
from scripts.data.demo.head import make_head
from scripts.demo.restoration import INSIDE, compare_heads, damage_head, read_head
from scripts.pages.head_views import cohort_figure, restoration_figure, save_figure, slice_view

COARSE = {"num_subjects": 4, "spacing_mm": 4.0}


@pytest.fixture(scope="module")
def head_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    head = make_head(seed=2, spacing_mm=4.0)
    path = tmp_path_factory.mktemp("head") / "head.nii.gz"
    nib.save(nib.Nifti1Image((700 * head.image).astype(np.int16), head.affine), path)
    return path


@pytest.mark.parametrize("plane", ["sagittal", "coronal", "axial"])
def test_slice_view_has_the_top_or_the_nose_up(plane):
    volume = torch.zeros(1, 4, 5, 6)  # right, anterior, superior
    volume[0, -1, -1, -1] = 1.0
    head = MetaTensor(volume, affine=torch.eye(4))
    last = {"sagittal": 3, "coronal": 0, "axial": 5}[plane]  # slices run left to right, front to back, bottom to top
    view = slice_view(head, plane, last)
    assert view.shape == {"sagittal": (6, 5), "coronal": (6, 4), "axial": (5, 4)}[plane]
    assert view[0, 0] == 1.0  # top row: superior or anterior; first column: anterior or the subject's right
    other_end = slice_view(head, plane, 0.0 if last else 1.0)
    assert other_end.max() == 0


def test_damaged_head_keeps_grid_and_scale_and_depends_on_its_seed(head_file, tmp_path):
    files = [tmp_path / name for name in ("one.nii.gz", "again.nii.gz", "other.nii.gz")]
    for file, seed in zip(files, (0, 0, 1), strict=True):
        damage_head(head_file, "head", file, seed)
    clean, one, again, other = (nib.load(path) for path in (head_file, *files))
    assert one.shape == clean.shape
    np.testing.assert_allclose(one.affine, clean.affine, atol=1e-5)
    np.testing.assert_array_equal(one.get_fdata(), again.get_fdata())
    assert np.abs(one.get_fdata() - other.get_fdata()).mean() > 1.0
    difference = one.get_fdata() - clean.get_fdata()
    assert np.isclose(np.median(difference), 0, atol=5)  # of about 600: the same unit as before
    assert np.abs(difference).mean() > 2


def test_compared_heads_are_measured_in_units_of_the_clean_one(head_file, tmp_path):
    clean = nib.load(head_file)
    scale = np.percentile(clean.get_fdata(), 99.5)
    brighter = tmp_path / "brighter.nii.gz"
    nib.save(nib.Nifti1Image((clean.get_fdata() + 0.1 * scale).astype(np.float32), clean.affine), brighter)
    found = compare_heads("head", head_file, brighter, head_file, ["sagittal", "axial"])
    assert found.psnr["whole slices"] == (pytest.approx(20.0, abs=1e-3), np.inf)  # an error of 0.1 everywhere
    assert found.psnr[INSIDE][0] == pytest.approx(20.0, abs=1e-3)
    assert [plane for plane, _ in found.views] == ["sagittal", "axial"]


def test_figures_are_the_same_file_each_time(head_file, tmp_path):
    head = read_head(head_file)
    noisy = head + 0.05
    for name in ("a.png", "b.png"):
        save_figure(restoration_figure(head, noisy, head, [("sagittal", 24), ("axial", 0.5)]), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert imread(tmp_path / "a.png").std() > 0.1
    save_figure(cohort_figure({f"head {k}": head for k in range(3)}, columns=2), tmp_path / "cohort.png")
    assert imread(tmp_path / "cohort.png").std() > 0.1


def test_demo_writes_a_self_contained_report(tmp_path, capsys):
    demo(output_dir=str(tmp_path), max_epochs=1, weights=str(tmp_path / "training" / "model.pt"), **COARSE)
    said = capsys.readouterr().out
    for name in ("training", "evaluating", "inference"):
        assert f"python -m monai.bundle run {name} --config_file" in said
    page = (tmp_path / "report.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', page)
    assert len(sources) == 4
    assert all(source.startswith("data:image/png;base64,") for source in sources if source != "training/report.html")
    assert (tmp_path / "training" / "report.html").is_file()
    for text in ("Test subject demo-04", "non-local means", "2 training, 1 validation, 1 test", "PSNR of the volume"):
        assert text in page
    assert "nan" not in re.sub(r"base64,[^\"]+", "", page)


@pytest.mark.slow
def test_demo_ends_with_the_log_of_the_step_that_failed(tmp_path):
    with pytest.raises(SystemExit, match=r"(?s)there are no weights at .*missing.pt.*inference ended with status 1"):
        demo("figure", output_dir=str(tmp_path), weights=str(tmp_path / "missing.pt"), **COARSE)


def test_unknown_task_is_refused():
    with pytest.raises(SystemExit, match="the task must be report or figure, got 'reprot'"):
        demo("reprot")


def test_demo_cohort_is_the_default_cohort(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ensure_demo_cohort(**COARSE) == tmp_path / "eval" / "demo" / "cohort"
