# SPDX-License-Identifier: Apache-2.0
"""The workflow as declared: ``run evaluating`` on a tiny cohort."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from monai.bundle import ConfigWorkflow

from scripts.networks import ResidualUNet
from tests.helpers.tiny_cohort import write_tiny_cohort
from tests.helpers.user_errors import user_error


@pytest.fixture
def cohort(tmp_path):
    return write_tiny_cohort(tmp_path / "cohort")


def evaluating(root, cohort, **overrides):
    workflow = ConfigWorkflow(
        config_file=[str(root / "configs" / "train.yaml"), str(root / "configs" / "evaluate.yaml")],
        meta_file=str(root / "configs" / "metadata.json"),
        workflow_type="train",
        run_id="evaluating",
        bundle_root=str(root),
        dataset_dir=str(cohort),
        output_dir=str(cohort.parent / "out"),
        device="cpu",
        amp=False,
        **overrides,
    )
    workflow.initialize()
    workflow.run()


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "model.pt"
    torch.save(ResidualUNet(residual_output=True).state_dict(), path)
    return path


def test_evaluating_writes_tables_and_a_report(root, cohort, tmp_path, weights):
    evaluating(root, cohort, kinds=["mixed", "holes", "clean"], severities=[5], published_weights=str(weights))
    metrics = pd.read_csv(tmp_path / "out" / "metrics.csv")
    baselines = {"input", "median", "non_local_means", "biharmonic", "pca"}
    assert set(metrics["method"]) == {"network", "published", *baselines}
    assert set(metrics[metrics["method"] == "biharmonic"]["corruption"]) == {"mixed", "holes"}
    assert set(metrics["corruption"]) == {"mixed", "holes", "clean"}
    assert {"whole", "head", "hole"} >= set(metrics["region"]) >= {"whole", "head"}
    assert not metrics.duplicated(["subject", "corruption", "severity", "region", "method"]).any()
    summary = pd.read_csv(tmp_path / "out" / "summary.csv")
    assert set(summary["n"]) == {1}
    assert summary["sd"].isna().all()
    page = (tmp_path / "out" / "report.html").read_text()
    assert "1 test subject, 3 slices" in page
    assert "one subject has no interval" in page
    assert page.count("data:image/png;base64,") >= 3
    assert str(tmp_path) not in page  # no path of this machine
    assert not list((tmp_path / "out").glob(".*"))  # nothing half-written


def test_baselines_alone_need_no_weights_and_no_report(root, cohort, tmp_path):
    evaluating(root, cohort, kinds=["holes"], severities=[1], rows=["input", "biharmonic"], report=False, seed=7)
    metrics, summary = (pd.read_csv(tmp_path / "out" / f"{name}.csv") for name in ("metrics", "summary"))
    assert set(metrics["method"]) == {"input", "biharmonic"}
    gain = summary[(summary["method"] == "biharmonic") & (summary["metric"] == "psnr") & (summary["region"] == "hole")]
    assert gain["gain"].item() < 0  # of the first row, the input, over it
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["metrics.csv", "summary.csv"]
    evaluating(root, cohort, kinds=["holes"], severities=[1], rows=["input", "biharmonic"], report=False, seed=8)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out" / "metrics.csv"), metrics)  # not the training's seed


def test_a_report_without_a_network_shows_what_there_is(root, cohort, tmp_path):
    evaluating(root, cohort, kinds=["gaussian_noise", "holes"], severities=[1], rows=["biharmonic", "input"])
    page = (tmp_path / "out" / "report.html").read_text()
    assert "gaussian noise 1: best subject" in page
    assert "holes 1: median subject" in page
    assert "none</td>" in page  # weights


def test_an_unknown_row_is_named_with_the_nearest(root, cohort, weights):
    with user_error(ValueError, "row 'bi_harmonic' is unknown: did you mean biharmonic"):
        evaluating(root, cohort, rows=["bi_harmonic"])


def test_missing_weights_end_the_run_with_the_command_that_makes_them(root, cohort):
    with user_error(FileNotFoundError, "train first"):
        evaluating(root, cohort)


def test_an_unknown_kind_is_named_with_the_nearest(root, cohort, weights):
    with user_error(ValueError, "did you mean holes"):
        evaluating(root, cohort, kinds=["hole"])


def test_a_file_that_cannot_be_read_is_named(root, cohort, weights):
    (cohort / "e.nii.gz").write_bytes(b"no image")
    with user_error(ValueError, r"e\.nii\.gz could not be read"):
        evaluating(root, cohort)
