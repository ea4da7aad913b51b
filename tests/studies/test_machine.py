# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from scripts.studies import machine as module
from scripts.studies.machine import Machine, measure_machine

MACHINE = Machine("made up", 0.0, 100.0, {"float32": 10.0, "bfloat16": 20.0})


@pytest.mark.parametrize(
    ("counted", "seconds"),
    [
        ((500.0, {"float32": 20.0}), 5.0),  # bytes need longer
        ((100.0, {"float32": 20.0, "bfloat16": 60.0}), 5.0),  # operations do: 2 + 3
        ((0.0, {"float16": 70.0}), 7.0),  # not measured: as float32
        ((50.0, {}), 0.5),
    ],
)
def test_the_floor_is_the_longer_of_moving_and_computing(counted, seconds):
    assert MACHINE.floor_seconds(*counted) == pytest.approx(seconds)


def test_the_best_of_two_measurements_is_the_limit():
    other = Machine("made up", 1.0, 50.0, {"float32": 11.0, "bfloat16": 19.0})
    assert MACHINE.best_with(other) == Machine("made up", 0.0, 100.0, {"float32": 11.0, "bfloat16": 20.0})


def test_limits_are_measured(monkeypatch):
    monkeypatch.setitem(module.COPIED, "cpu", 2**20)
    monkeypatch.setitem(module.SIDE, "cpu", 64)
    machine = measure_machine("cpu", seconds=0.0)
    assert "CPU core" in machine.name
    assert 1e7 < machine.bytes_per_second < 1e13
    assert set(machine.operations_per_second) == {"float32", "bfloat16"}
    assert all(1e6 < rate < 1e15 for rate in machine.operations_per_second.values())
