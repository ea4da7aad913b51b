# SPDX-License-Identifier: Apache-2.0
"""The picture of a chart shows its heads, each sex with its own curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.stats import norm

from scripts.normative import Measure, NormativeChart
from scripts.normative.figure import chart_figure

MEASURES = {"thickness": Measure("mm", False), "volume": Measure("mL", True)}


@pytest.fixture(scope="module")
def chart() -> NormativeChart:
    """Women lie 2 lower, with half of the spread."""
    rng = np.random.default_rng(0)
    age, female = rng.uniform(20, 80, 600), rng.random(600) < 0.4
    y = 10 - 2 * female - 0.05 * age + np.where(female, 0.25, 0.5) * rng.standard_normal(600)
    heads = {"age": age, "sex": np.where(female, "F", "M"), "thickness": y, "volume": np.exp(0.1 * y)}
    return NormativeChart(pd.DataFrame(heads), MEASURES)


def band(axis: Axes, number: int, age: float) -> NDArray[np.float64]:
    """Lower and upper end of a shaded band at an age."""
    (path,) = axis.collections[number].get_paths()
    ages = np.unique(path.vertices[:, 0])
    at = path.vertices[path.vertices[:, 0] == ages[np.abs(ages - age).argmin()], 1]
    return np.array([at.min(), at.max()])


def test_each_sex_has_its_heads_its_median_and_its_band(chart):
    figure = chart_figure(chart, "a note")
    axis = figure.axes[0]
    assert (figure.get_suptitle(), axis.get_title()) == ("a note", "thickness mm")
    ends = norm.ppf([0.05, 0.95])
    for number, (sex, middle, sd) in enumerate((("F", 8 - 2.5, 0.25), ("M", 10 - 2.5, 0.5))):
        dots, median = axis.lines[2 * number : 2 * number + 2]
        own = chart.heads[chart.heads["sex"] == sex]
        np.testing.assert_array_equal(dots.get_data(), (own["age"], own["thickness"]))
        assert median.get_label() == f"{sex}, {len(own)}"
        assert np.interp(50, *median.get_data()) == pytest.approx(middle, abs=0.1)
        np.testing.assert_allclose(band(axis, number, 50), middle + sd * ends, atol=0.15)
        low, high = band(figure.axes[1], number, 50)  # a logarithmic measure, in its own unit
        np.testing.assert_allclose([low, high], np.exp(0.1 * (middle + sd * ends)), rtol=0.02)
    assert not figure.axes[2].axison


def test_a_head_stands_among_those_of_its_sex_with_their_quartiles(chart):
    axis = chart_figure(chart, "", (40.0, "F", {"thickness": 6.5, "volume": 2.0})).axes[0]
    dots, _, *quartiles, head = axis.lines
    assert len(dots.get_xdata()) == (chart.heads["sex"] == "F").sum()
    found = [np.interp(40, *line.get_data()) for line in quartiles]
    np.testing.assert_allclose(found, 6.0 + 0.25 * norm.ppf([0.25, 0.75]), atol=0.1)
    assert np.ravel(head.get_data()).tolist() == [40.0, 6.5]
    assert len(axis.collections) == 1
