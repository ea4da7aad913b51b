# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest

from scripts.studies.speed.child import Child, call_in_child
from scripts.studies.speed.machine import Machine
from scripts.studies.speed.match import OURS, Effort, Entrant, play
from scripts.studies.speed.matches import Match
from scripts.studies.speed.results import rows_of
from tests.studies.speed.contenders import Pretender, dying, impossible

EFFORT = Effort(rounds=3, round_seconds=1.0, training=1, validation=1, volumes=1)


def entrant(name: str, make=Pretender, *arguments: object, way: str = "") -> Entrant:
    return Entrant(name, lambda log: Child.fork(log, make, *arguments), way)


def test_entrants_take_turns_and_the_fastest_way_of_a_peer_counts(tmp_path):
    entrants = [
        entrant(OURS, Pretender, 100.0),
        entrant("peer", Pretender, 20.0, way="slow"),
        entrant("peer", Pretender, 50.0, way="fast"),
        entrant("absent", impossible),
    ]
    outcomes, failures = play(entrants, EFFORT, tmp_path, "race")
    assert [(failure.entrant.name, failure.reason) for failure in failures] == [("absent", "there is no such thing")]
    assert "and more about it" in (tmp_path / "race-absent.log").read_text()
    ours = outcomes[0]
    assert ours.rates == pytest.approx([100.0] * 3)
    assert ours.wait_share == pytest.approx(0.25)
    assert ours.peak_mb > 50
    assert ours.counted.operations == {"float32": 48.0}
    (row,) = rows_of(Match("train_step", "net", entrants), "cpu", outcomes, Machine("", 0, 1e9, {"float32": 48e3}))
    assert (row.peer, row.way, row.peer_per_s) == ("peer", "fast", pytest.approx(50))
    assert row.ratio == pytest.approx(2.0)
    assert row.floor_share == pytest.approx(0.1)  # 48 operations at 48,000 a second: 1 ms of 10
    assert row.wait_share == pytest.approx(0.25)


def test_a_row_without_a_peer_has_no_ratio(tmp_path):
    outcomes, _ = play([entrant(OURS, Pretender, 100.0)], EFFORT, tmp_path, "alone")
    (row,) = rows_of(Match("data", "all", []), "cpu", outcomes, Machine("", 0, 1e9, {"float32": 1.0}))
    assert (row.peer, row.peer_per_s, row.ratio, row.wait_share) == ("", None, None, None)


@pytest.mark.parametrize(
    ("make", "message"), [(impossible, "(?s)there is no such thing.*more in .*race-ours.log"), (dying, "SystemExit")]
)
def test_without_ours_there_is_no_match(tmp_path, make, message):
    with pytest.raises(ChildProcessError, match=message):
        play([entrant(OURS, make)], EFFORT, tmp_path, "race")


def test_a_program_that_cannot_start_is_named_by_its_log(tmp_path):
    with pytest.raises(ChildProcessError, match=r"(?s)the process ended.*more in .*none.log"):
        Child.execute(tmp_path / "none.log", ["/no/such/python"], 1)
    assert "No such file" in (tmp_path / "none.log").read_text()


def test_a_function_can_be_called_in_a_process_of_its_own(tmp_path):
    assert call_in_child(tmp_path / "log", math.sqrt, 9.0) == 3.0
    with pytest.raises(ValueError, match="there is no such thing"):
        call_in_child(tmp_path / "log", impossible)
