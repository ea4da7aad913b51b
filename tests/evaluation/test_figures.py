# SPDX-License-Identifier: Apache-2.0
"""What the figures of a report show is what the tables and images say."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.collections import LineCollection, PathCollection

from scripts.evaluation.figures import ERROR_SHOWN, example_figure, severity_figure, subjects_figure

REGIONS = {"whole": "whole slices", "head": "inside the head"}
KINDS = ("gaussian_noise", "holes")
METHODS = ("network", "input", "median")
SEVERITIES = (1, 3, 5)


def summary() -> pd.DataFrame:
    """A table in which every mean and both sides of every interval are different."""
    rows = [
        {"corruption": kind, "severity": severity, "region": region, "method": method, "metric": metric}
        for region in REGIONS
        for kind in KINDS
        for method in METHODS
        for severity in SEVERITIES
        for metric in ("mse", "psnr")
    ]
    table = pd.DataFrame(rows)
    number = np.arange(len(table))
    mean = 20 + 0.1 * number
    return table.assign(mean=mean, ci_low=mean - 0.5 - 0.01 * number, ci_high=mean + 1 + 0.02 * number)


def test_each_method_has_its_own_means_and_intervals() -> None:
    table = summary()
    figure = severity_figure(table, REGIONS)
    assert figure is not None
    psnr = table[table["metric"] == "psnr"].set_index(["region", "corruption", "method"]).sort_index()
    places = [(region, kind) for region in REGIONS for kind in KINDS]
    for axis, place in zip(figure.axes, places, strict=True):
        for method, drawn in zip(METHODS, axis.containers, strict=True):
            rows = psnr.loc[(*place, method)].sort_values("severity")
            line, _, (bars,) = drawn.lines
            assert np.round(line.get_xdata(orig=False)).tolist() == list(SEVERITIES)
            np.testing.assert_allclose(line.get_ydata(orig=False), rows["mean"])
            ends = np.array([bar[:, 1] for bar in bars.get_segments()])
            np.testing.assert_allclose(ends, rows[["ci_low", "ci_high"]])
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["trained network", "input as it is", "3 x 3 median"]


def test_without_severities_there_is_no_curve() -> None:
    assert severity_figure(summary().assign(severity=0), REGIONS) is None


def test_each_method_has_a_dot_for_each_subject_and_a_bar_at_the_mean() -> None:
    rng = np.random.default_rng(0)
    values = {(region, method): rng.uniform(20, 30, 4) for region in REGIONS for method in METHODS}
    values["head", "input"][2] = math.inf
    damage = {"corruption": "mixed", "severity": 3}
    rows = [
        damage | {"subject": f"s{number}", "region": region, "method": method, "psnr": psnr}
        for (region, method), column in values.items()
        for number, psnr in enumerate(column)
    ]
    rows.append(rows[0] | {"severity": 5, "psnr": 99.0})
    figure = subjects_figure(pd.DataFrame(rows), "mixed", 3, REGIONS)
    for axis, region in zip(figure.axes, REGIONS, strict=True):
        dots = [one for one in axis.collections if isinstance(one, PathCollection)]
        bars = [one for one in axis.collections if isinstance(one, LineCollection)]
        for place, method in enumerate(METHODS):
            finite = np.where(np.isfinite(values[region, method]), values[region, method], np.nan)
            x, y = np.ma.filled(dots[place].get_offsets().astype(float), np.nan).T
            np.testing.assert_allclose(y, finite)
            assert np.round(x[np.isfinite(y)]).tolist() == [place] * int(np.isfinite(finite).sum())
            assert bars[place].get_segments()[0][:, 1].tolist() == pytest.approx([np.nanmean(finite)] * 2)
        joined = [line.get_ydata() for line in axis.lines]
        expected = np.stack([values[region, method] for method in METHODS], axis=1)
        np.testing.assert_allclose(joined, np.where(np.isfinite(expected), expected, np.nan))


def test_the_error_is_the_distance_from_the_clean_slice() -> None:
    generator = torch.Generator().manual_seed(0)
    images = {name: torch.rand(5, 4, generator=generator) for name in ("clean", "damaged", "network")}
    images["exact"] = images["clean"].clone()
    axes = example_figure(images).axes
    shown, errors = axes[: len(images)], axes[len(images) :]
    for axis, (name, image) in zip(shown, images.items(), strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), image)
        assert axis.get_title() == {"network": "trained network"}.get(name, name)
    for axis, name in zip(errors[1:], list(images)[1:], strict=True):
        error = np.abs(images[name].numpy() - images["clean"].numpy())
        np.testing.assert_allclose(axis.images[0].get_array(), error)
        assert axis.images[0].get_clim() == (0, ERROR_SHOWN)
        said = f"{10 * math.log10(1 / np.square(error).mean()):.1f} dB" if error.any() else "no error"
        assert axis.get_title() == said
    assert not errors[0].images
