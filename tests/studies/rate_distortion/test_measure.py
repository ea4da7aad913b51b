# SPDX-License-Identifier: Apache-2.0
"""Rates per subject, their summary and figure, and the workflow as declared."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from monai.bundle import ConfigWorkflow

from scripts.evaluation import SubjectSlices
from scripts.networks import CompressiveAutoencoder
from scripts.studies.rate_distortion.figure import best_rates, rate_distortion_figure
from scripts.studies.rate_distortion.latent_codec import Coded
from scripts.studies.rate_distortion.measure import measure_subject, summarise_rates
from tests.helpers.user_errors import user_error


class Darker:
    """Shows which images it was given; 3 values and 12 bits an image."""

    def code(self, images):
        assert all(size % 8 == 0 for size in images.shape[2:])
        yield Coded(images - 0.1, "darker", 0.5, 3 * len(images), 4, 12 * len(images))


def test_rates_are_per_pixel_of_the_slices_as_they_are():
    target = torch.rand(5, 1, 30, 26, generator=torch.Generator().manual_seed(0))
    head = torch.zeros_like(target, dtype=torch.bool)
    head[..., 5:20, 5:20] = True
    rows = list(measure_subject([Darker()], SubjectSlices("s", torch.arange(5), target, {"head": head})))
    assert [row["region"] for row in rows] == ["whole", "head"]
    for row in rows:
        assert row["psnr"] == pytest.approx(20, abs=1e-3)
        assert row["values_per_pixel"] == pytest.approx(3 / (30 * 26))
        assert row["bits_per_pixel"] == pytest.approx(12 / (30 * 26))
        assert (row["subject"], row["codec"], row["compression"], row["bits_per_value"]) == ("s", "darker", 0.5, 4)


def table():
    rows = []
    for seed, bonus in ((0, 0.0), (1, 2.0)):
        for subject, base in (("a", 30.0), ("b", 32.0), ("c", 37.0)):
            for bits, loss in ((math.nan, 0.0), (8, 0.5), (4, 3.0)):
                rows.append(
                    {
                        "subject": subject, "codec": "compressive_autoencoder", "compression": 0.25, "seed": seed,
                        "bits_per_value": bits, "values_per_pixel": 0.25, "bits_per_pixel": bits / 4, "region": "head",
                        "psnr": base + bonus - loss, "mse": 0.1, "dssim": 0.1, "ssim": 0.8, "hfen": 0.2,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def test_seeds_are_averaged_within_subjects_first():
    summary = summarise_rates(table())
    row = summary[(summary["metric"] == "psnr") & (summary["bits_per_value"] == 8)].iloc[0]
    assert (row["n"], row["seeds"], row["mean"]) == (3, 2, pytest.approx(33.5))
    assert row["sd"] == pytest.approx(np.std([30.5, 32.5, 37.5], ddof=1))
    assert row["seed_sd"] == pytest.approx(np.std([0, 2], ddof=1))
    assert (row["values_per_pixel"], row["bits_per_pixel"]) == (0.25, 2)
    assert row["ci_low"] < row["mean"] < row["ci_high"]
    floating = summary[(summary["metric"] == "psnr") & (summary["bits_per_value"] == 0)].iloc[0]
    assert math.isnan(floating["bits_per_pixel"])


def test_only_rates_that_pay_are_drawn():
    rows = pd.DataFrame({"bits_per_pixel": [3.0, 1.0, 2.0, 4.0], "mean": [28.0, 25.0, 30.0, 31.0]})
    assert best_rates(rows)["bits_per_pixel"].tolist() == [1.0, 2.0, 4.0]


def test_the_figure_shows_every_codec_once_in_each_panel():
    rows = table()
    jpeg = rows[rows["bits_per_value"] == 8].assign(
        codec="jpeg2000", bits_per_value=math.nan, values_per_pixel=math.nan
    )
    network = rows[rows["bits_per_value"].isna()].assign(codec="skip_cae", values_per_pixel=14, compression=14)
    figure = rate_distortion_figure(summarise_rates(pd.concat([rows, jpeg, network])))
    labels = [axis.get_legend_handles_labels()[1] for axis in figure.axes]
    assert labels == [["skip cae", "compressive autoencoder"], ["compressive autoencoder", "JPEG 2000"]]
    figure.canvas.draw()


def coding(root, cohort, output, **overrides):
    workflow = ConfigWorkflow(
        config_file=[
            *(str(root / "configs" / f"{name}.yaml") for name in ("train", "evaluate")),
            str(root / "scripts" / "studies" / "rate_distortion" / "coding.yaml"),
            str(root / "configs" / "net" / "compressive_autoencoder.yaml"),
        ],
        meta_file=str(root / "configs" / "metadata.json"),
        workflow_type="train",
        run_id="coding",
        logging_file=False,
        bundle_root=str(root),
        dataset_dir=str(cohort),
        output_dir=str(output),
        cache_dir="",
        device="$torch.device('cpu')",
        **overrides,
    )
    workflow.initialize()
    workflow.run()
    return pd.read_csv(output / "coding.csv")


def test_coding_writes_one_row_per_rate_and_region(root, tiny_cohort, tmp_path):
    torch.save(CompressiveAutoencoder(compression=1 / 16).state_dict(), tmp_path / "model.pt")
    rows = coding(root, tiny_cohort, tmp_path, code_bits=[8])
    assert set(rows["subject"]) == {"e"}
    assert rows["bits_per_value"].fillna(0).unique().tolist() == [0, 8]
    assert set(rows["region"]) == {"whole", "head"}
    assert (rows["values_per_pixel"] == 1 / 16).all()
    assert rows["bits_per_pixel"].dropna().between(0, 0.51).all()


def test_classical_codecs_need_no_weights(root, tiny_cohort, tmp_path):
    rows = coding(root, tiny_cohort, tmp_path, codecs=["block_pca", "jpeg2000"], compressions=[0.25], code_bits=[8])
    assert set(rows["codec"]) == {"block_pca", "jpeg2000"}
    assert (rows[rows["codec"] == "jpeg2000"]["bits_per_pixel"] < 2.3).all()


def test_missing_weights_end_the_run_with_what_to_do(root, tiny_cohort, tmp_path):
    with user_error(FileNotFoundError, "train first"):
        coding(root, tiny_cohort, tmp_path)
