# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scripts.studies.benchmark.figures import curves_figure, matrix_figure
from scripts.studies.benchmark.values import Quantity
from scripts.studies.benchmark.verdicts import Pairs


@pytest.mark.parametrize(("metric", "shown"), [("psnr", "+1.5"), ("dssim", "-1.5")])
def test_a_cell_is_the_gain_of_its_row_over_its_column(metric, shown):
    size = 1.5 if metric == "psnr" else 0.0015
    pair = {"design": "", "data": "d", "corruption": "mixed", "severity": 0, "region": "head", "metric": metric}
    rows = [
        pair | {"a": "one", "b": "two", "difference": size, "ci_low": 0, "ci_high": 2 * size, "p_holm": 0.01},
        pair | {"a": "three", "b": "one", "difference": 2 * size, "ci_low": 0, "ci_high": 2 * size, "p_holm": 0.2},
    ]
    measure = Quantity("mixed", 0, "head", metric)
    axis = matrix_figure(Pairs(pd.DataFrame(rows)), "d", measure, ["one", "two", "three"]).axes[0]
    said = {(round(y), round(x)): text.get_text() for text in axis.texts for x, y in [text.get_position()]}
    sign = 1 if metric == "psnr" else -1  # a larger DSSIM is worse
    assert said == {
        (0, 1): f"{shown}*", (1, 0): f"{-sign * 1.5:+.1f}*", (0, 2): f"{-sign * 3.0:+.1f}", (2, 0): f"{sign * 3.0:+.1f}"
    }  # fmt: skip
    assert [label.get_text() for label in axis.get_yticklabels()] == ["one", "two", "three"]


def test_each_curve_is_that_of_its_model():
    names = ["network_a", "network_b", "median"]
    rows = [
        {"data": "d", "metric": "psnr", "region": region, "corruption": kind, "model": name, "severity": severity}
        for region in ("head", "whole")
        for kind in ("mixed", "holes")
        for name in names
        for severity in (0, 1, 3)
    ]
    mean = 20 + 0.1 * np.arange(len(rows))
    table = pd.DataFrame(rows).assign(mean=mean, ci_low=mean - 0.01 * mean, ci_high=mean + 1)
    figure = curves_figure(table, "d", names[:2], names[2:])
    assert figure is not None
    known = table[(table["region"] == "head") & (table["severity"] > 0)].set_index(["corruption", "model"])
    for axis, kind in zip(figure.axes, ("mixed", "holes"), strict=True):
        for name, drawn in zip(names, axis.containers, strict=True):
            own = known.sort_index().loc[(kind, name)]
            line, _, (bars,) = drawn.lines
            np.testing.assert_allclose(line.get_data(orig=False), own[["severity", "mean"]].T)
            np.testing.assert_allclose([bar[:, 1] for bar in bars.get_segments()], own[["ci_low", "ci_high"]])
    assert curves_figure(table[table["severity"] < 3], "d", names, []) is None
