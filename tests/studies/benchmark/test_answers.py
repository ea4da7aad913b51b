# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from scripts.studies.benchmark.answers import _advice
from scripts.studies.benchmark.values import Quantity
from scripts.studies.benchmark.verdicts import Gain


def gain(mean, p=0.001):
    return Gain("", mean, mean - 0.05, mean + 0.05, p, 0.1)


@pytest.mark.parametrize(
    ("over_input", "over_classical", "classical_over_input", "expected"),
    [
        (gain(3.0), gain(2.0), gain(1.0), "the network"),
        (gain(3.0), None, None, "the network"),
        (gain(-4.0), gain(-5.0), gain(1.0), "the classical method"),  # both beat the network, the filter the input
        (gain(-4.0), gain(-3.0), gain(-1.0), "leave it as it is"),
        (gain(-4.0), gain(-4.0), gain(0.05), "leave it as it is"),
        (gain(-4.0), gain(-5.0), gain(1.0, p=0.2), "leave it as it is"),
        (gain(0.6, p=0.2), gain(-9.0), gain(9.6), "the classical method"),
        (gain(1.6), gain(0.6, p=0.2), gain(1.0), "cannot tell: too few subjects"),
        (gain(0.01), gain(0.01), gain(0.0), "leave it as it is: no network is better"),
        (gain(1.0), gain(0.05), gain(0.95), "the classical method: no network is better"),
        (None, None, None, "cannot tell"),
    ],
)
def test_advice_is_what_beats_the_other_two(over_input, over_classical, classical_over_input, expected):
    measure = Quantity("gaussian_noise", 0, "head", "psnr")
    assert _advice(measure, over_input, over_classical, classical_over_input) == expected


def test_what_is_undamaged_is_left_alone():
    assert _advice(Quantity("clean", 0, "head", "psnr"), None, gain(-20.0), None) == "leave it as it is"
