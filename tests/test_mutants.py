# SPDX-License-Identifier: Apache-2.0
"""The mistakes of ``make mutants`` can still be made: a change of the code has not left one behind."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


def test_every_mistake_has_its_place_and_its_tests():
    mutants = yaml.safe_load((ROOT / "tests/mutants.yaml").read_text(encoding="utf-8"))
    assert len(mutants) >= 30
    places = {(one["file"], one["old"]): (ROOT / one["file"]).read_text("utf-8").count(one["old"]) for one in mutants}
    assert {place: count for place, count in places.items() if count != 1} == {}
    named = {test.partition("::")[0] for one in mutants for test in one["tests"]}
    assert [test for test in named if not (ROOT / test).is_file()] == []
