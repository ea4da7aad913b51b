# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
import os

import pytest

from scripts.studies.machine import Machine
from scripts.studies.speed.child import Child
from scripts.studies.speed.match import OURS, Effort, Entrant, Match, play
from scripts.studies.speed.results import rows_of
from tests.studies.speed.contenders import Pretender, dying, impossible

EFFORT = Effort(rounds=3, round_seconds=1.0, training=1, validation=1, volumes=1)


def entrant(name: str, make=Pretender, *arguments: object, way: str = "") -> Entrant:
    return Entrant(name, lambda log: Child(log, make, *arguments), way)


def test_entrants_take_turns_and_the_fastest_way_of_a_peer_counts(tmp_path):
    entrants = [
        entrant(OURS, Pretender, 100.0),
        entrant("peer", Pretender, 20.0, way="slow"),
        entrant("peer", Pretender, 50.0, way="fast"),
        entrant("absent", impossible),
    ]
    match = Match("train_step", "net", entrants)
    outcomes, failures = play(match, EFFORT, tmp_path)
    assert failures == ["train_step net, absent: there is no such thing"]
    assert "and more about it" in (tmp_path / "train_step-net-absent.log").read_text()
    ours = outcomes[0]
    assert ours.rates == pytest.approx([100.0] * 3)
    assert ours.wait_share == pytest.approx(0.25)
    assert ours.peak_mb > 50
    assert ours.counted.operations == {"float32": 48.0}
    (row,) = rows_of(match, "cpu", outcomes, Machine("", 0, 1e9, {"float32": 48e3}))
    assert (row["peer"], row["way"], row["peer_per_s"]) == ("peer", "fast", pytest.approx(50))
    assert row["ratio"] == pytest.approx(2.0)
    assert row["floor_share"] == pytest.approx(0.1)  # 48 operations at 48,000 a second: 1 ms of 10
    assert row["wait_share"] == pytest.approx(0.25)


def test_a_row_without_a_peer_has_no_ratio(tmp_path):
    match = Match("data", "all", [entrant(OURS, Pretender, 100.0)])
    outcomes, _ = play(match, EFFORT, tmp_path)
    (row,) = rows_of(match, "cpu", outcomes, Machine("", 0, 1e9, {"float32": 1.0}))
    assert (row["peer"], row["peer_per_s"], row["ratio"], row["wait_share"]) == ("", None, None, None)


@pytest.mark.parametrize(
    ("make", "message"),
    [(impossible, "(?s)there is no such thing.*more in .*race-net-ours.log"), (dying, "SystemExit")],
)
def test_without_ours_there_is_no_match(tmp_path, make, message):
    with pytest.raises(ChildProcessError, match=message):
        play(Match("race", "net", [entrant(OURS, make)]), EFFORT, tmp_path)


def test_a_function_can_be_called_in_a_process_of_its_own(tmp_path):
    with Child(tmp_path / "log") as child:
        assert child.call(math.sqrt, 9.0) == 3.0
        assert child.call(os.getpid) != os.getpid()
        with pytest.raises(ChildProcessError, match="there is no such thing"):
            child.call(impossible)


def test_a_process_that_dies_is_named_by_its_log(tmp_path):
    with Child(tmp_path / "log") as child, pytest.raises(ChildProcessError, match=r"(?s)terminated.*more in .*log"):
        child.call(os._exit, 1)
