# SPDX-License-Identifier: Apache-2.0
"""Which subjects and slices a report shows, and what it says of them."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import torch

from scripts.evaluation import summarise
from scripts.evaluation.conditions import make_conditions
from scripts.evaluation.report import EvaluationReport, headline, median_slice, worst_slice

PSNR = {"network": [31.0, 28.0, 35.0], "input": [21.0, 25.0, 20.0]}
PLACES = (("mixed", 3, "whole", 0), ("mixed", 3, "head", 5), ("clean", 0, "whole", 9))


def metrics() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "subject": f"s{number}", "corruption": kind, "severity": severity, "region": region, "method": method,
            "mse": 0.1, "psnr": value + shift, "dssim": 0.1, "ssim": 0.8, "hfen": 0.2,
        }
        for kind, severity, region, shift in PLACES
        for method, values in PSNR.items()
        for number, value in enumerate(values)
    )  # fmt: skip


def test_subjects_are_in_the_order_of_the_first_method_the_worst_first():
    (condition,) = make_conditions(["mixed"], [3])
    report = SimpleNamespace(tables=SimpleNamespace(metrics=metrics()), step=SimpleNamespace(methods=PSNR))
    assert EvaluationReport._ranked(report, condition) == ("network", [("s1", 28.0), ("s0", 31.0), ("s2", 35.0)])


def test_slices_are_chosen_by_their_error():
    errors = torch.tensor([0.3, 0.1, 0.9, 0.2, 0.4])
    assert (median_slice(errors), worst_slice(errors)) == (0, 2)


def test_the_headline_is_the_mean_of_each_method_and_region():
    said = headline(summarise(metrics()), "mixed", 3)
    assert len(said) == 3
    assert said[0].startswith("Mixed, whole slices: trained network 31.33 dB (28.00 to 35.00); input as it is 22.00 dB")
    assert "trained network 36.33 dB" in said[1]
    assert said[2].startswith("Clean, whole slices: trained network 40.33 dB")
