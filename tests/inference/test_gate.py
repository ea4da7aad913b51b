# SPDX-License-Identifier: Apache-2.0
"""What a verdict says and does, at its thresholds too."""

from __future__ import annotations

import pytest

from scripts.anatomy.damage_kinds import KINDS
from scripts.inference.gate import DAMAGED, FINE, OUTSIDE, Gate, severity


def levels(**known: float) -> list[float]:
    return [known.get(kind, 0.0) for kind in KINDS]


@pytest.mark.parametrize(
    ("noise", "outside", "repaired", "name"),
    [
        (0.25, 0.1, (), DAMAGED),  # what reaches a threshold counts
        (0.2499, 0.1, (), FINE),
        (0.0, 0.1, ("spikes",), DAMAGED),
        (0.9, 0.5, (), OUTSIDE),
        (0.9, 0.4999, (), DAMAGED),
        (0.0, 0.5, ("spikes",), OUTSIDE),
    ],
)
def test_the_name_of_a_verdict(noise, outside, repaired, name):
    assert Gate(least=0.25, outside=0.5)(levels(noise=noise), outside, repaired).name == name


def test_the_network_is_not_called_for_motion_alone_nor_for_what_was_repaired():
    gate = Gate(least=0.25)
    motion = gate(levels(motion=0.9, noise=0.1), 0.1)
    assert (motion.name, motion.restores) == (DAMAGED, False)
    assert gate(levels(motion=0.9, noise=0.3), 0.1).restores
    assert not gate(levels(noise=0.1), 0.1, ["ghosts"]).restores
    assert not gate(levels(noise=0.9), 0.85).restores
    assert gate(levels(noise=0.9), 0.6).restores  # a stripped head with damage reaches so much


def test_the_reason_names_the_worst_first_with_the_size_of_the_change():
    reason = Gate(least=0.25)(levels(noise=0.3, blur=0.8, thick=0.2), 0.1, ["spikes"]).reason
    rms = 100 * 10 ** (-2.5 + 1.7 * 0.8)
    assert reason.startswith(f"damaged: spikes (undone), blur (severity 5 of 5, some {rms:.1f} % of the bright end), ")
    assert reason.index("blur") < reason.index("noise (severity 2 of 5")
    assert "thick" not in reason
    assert Gate()(levels(), 0.1).reason == "fine: no damage was found"
    assert "outside of the training (probability 0.90)" in Gate()(levels(), 0.9).reason


def test_a_severity_begins_at_its_step():
    assert [severity(level) for level in (0.0, 0.3, 0.45, 0.6, 0.75)] == [1, 2, 3, 4, 5]
    assert [severity(level) for level in (0.299, 0.449, 0.599, 0.749, 1.0)] == [1, 2, 3, 4, 5]


def test_noise_that_was_undone_is_named_once():
    verdict = Gate()(levels(noise=0.63, blur=0.1), 0.1, ["noise"])
    assert verdict.reason.startswith("damaged: noise (severity 4 of 5, some ")
    assert verdict.reason.endswith(" % of the bright end, undone)")
    assert verdict.reason.count("noise") == 1
    assert not verdict.restores
    assert Gate()(levels(noise=0.63, thick=0.5), 0.1, ["noise"]).restores
