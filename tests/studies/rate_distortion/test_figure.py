# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pandas as pd

from scripts.studies.rate_distortion.figure import LINES, best_rates, rate_distortion_figure


def test_only_what_is_better_than_all_that_is_smaller_is_drawn():
    rows = pd.DataFrame({"bits_per_pixel": [2.0, 0.5, 1.0, 3.0, 4.0], "mean": [30.0, 25.0, 31.0, 31.0, 33.0]})
    assert best_rates(rows)["bits_per_pixel"].tolist() == [0.5, 1.0, 4.0]


def test_every_codec_has_its_own_points_and_intervals():
    codecs = ["jpeg2000", "pca", "a_network"]
    rows = [
        {"metric": "psnr", "region": region, "codec": codec, "bits_per_value": bits, "rate": rate}
        for region in ("head", "whole")
        for codec in codecs
        for bits in (0, 4)
        for rate in (0.25, 0.5)
    ]
    table = pd.DataFrame(rows)
    mean = 20 + np.arange(len(table), dtype=float)
    quantised = table["bits_per_value"] > 0
    table = table.assign(
        mean=mean, ci_low=mean - 0.01 * mean, ci_high=mean + 2,
        values_per_pixel=table["rate"].mask(table["codec"] == "jpeg2000"),
        bits_per_pixel=table["rate"].where(quantised),
    )  # fmt: skip
    values, bits = rate_distortion_figure(table).axes
    head = table[table["region"] == "head"]
    for axis, rate in ((values, "values_per_pixel"), (bits, "bits_per_pixel")):
        chosen = head[(head["bits_per_value"] > 0) == (axis is bits)]
        parts = {codec: chosen[chosen["codec"] == codec] for codec in codecs}
        drawn = {one.get_label(): one for one in axis.containers}
        expected = {LINES[codec][0]: parts[codec] for codec in ("jpeg2000", "pca") if parts[codec][rate].notna().all()}
        assert drawn.keys() == expected.keys()
        for label, part in expected.items():
            line, _, (bars,) = drawn[label].lines
            np.testing.assert_allclose(line.get_data(orig=False), part[[rate, "mean"]].T)
            np.testing.assert_allclose([bar[:, 1] for bar in bars.get_segments()], part[["ci_low", "ci_high"]])
        (points,) = [line for line in axis.lines if line.get_label() == "a network"]
        np.testing.assert_allclose(points.get_data(), parts["a_network"][[rate, "mean"]].T)
