# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from scripts.data.demographics import Demographics, read_demographics


@pytest.fixture(scope="module")
def ixi(real_data: Path) -> dict[str, Demographics]:
    return read_demographics(real_data / "IXI.xls")


def _unknown(table: dict[str, Demographics], field: str) -> set[str]:
    return {subject for subject, facts in table.items() if getattr(facts, field) is None}


def test_ixi_has_593_subjects(ixi: dict[str, Demographics]):
    assert len(ixi) == 593  # 619 rows, 26 subjects twice
    assert {"IXI001", "IXI662"} <= set(ixi)


def test_ixi_unknown_values(ixi: dict[str, Demographics]):
    # 29 rows of 28 subjects have no age (513 twice), 219 has two that contradict each other
    assert len(_unknown(ixi, "age")) == 29
    assert "IXI219" in _unknown(ixi, "age")
    assert _unknown(ixi, "sex") == {"IXI328"}
    # 37 zeros, 24 of them in second rows
    assert len(_unknown(ixi, "ethnicity")) == 13
    assert ixi["IXI219"] == Demographics(age=None, sex="F", ethnicity=1)  # height and weight contradict each other too


def test_ixi_impossible_values_are_unknown(ixi: dict[str, Demographics]):
    heights = {facts.height_cm for facts in ixi.values()} - {None}
    weights = {facts.weight_kg for facts in ixi.values()} - {None}
    assert not heights & {0, 75, 110, 1520, 1850}
    assert not weights & {0, 710, 960}
    assert min(heights) >= 120
    assert max(heights) <= 220
    assert ixi["IXI560"].height_cm is None  # 1850, and 0 in the second row


def test_ixi_first_row_counts_where_the_second_is_empty(ixi: dict[str, Demographics]):
    assert ixi["IXI251"] == Demographics(age=80.1697, sex="F", ethnicity=1, height_cm=167, weight_kg=74)


def test_ixi_population_of_the_thesis(ixi: dict[str, Demographics]):
    """55.6 % female: the thesis's text says male."""
    sexes = [facts.sex for facts in ixi.values()]
    assert sexes.count("F") > sexes.count("M")


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_bids_participants(tmp_path: Path, suffix: str):
    rows = [
        ["participant_id", "age", "sex", "site", "handedness"],
        ["sub-01", "31.5", "F", "A", "R"],
        ["sub-02", "n/a", "male", "n/a", "L"],
        ["sub-03", "0", "x", "B", ""],
        ["sub-04", "430", "M", "", ""],
    ]
    file = tmp_path / f"participants{suffix}"
    file.write_text("\n".join(("\t" if suffix == ".tsv" else ",").join(row) for row in rows), encoding="utf-8-sig")
    assert read_demographics(file) == {
        "sub-01": Demographics(age=31.5, sex="F", site="A"),
        "sub-02": Demographics(sex="M"),
        "sub-03": Demographics(site="B"),
        "sub-04": Demographics(sex="M"),
    }


def test_two_rows_of_a_subject(tmp_path: Path):
    file = tmp_path / "table.csv"
    file.write_text(
        "subject,age,sex,ethnicity\n"
        "first,30,1,1\nfirst,0,0,0\n"  # second row unknown
        "second,0,2,0\nsecond,41,2,2\n"  # first row unknown
        "close,50.2,1,1\nclose,50.9,1,1\n"  # less than a year apart: the first counts
        "torn,50,1,1\ntorn,52,2,3\n"  # contradictions
    )
    assert read_demographics(file) == {
        "first": Demographics(30, "M", 1),
        "second": Demographics(41, "F", 2),
        "close": Demographics(50.2, "M", 1),
        "torn": Demographics(),
    }


def test_errors(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"none.csv does not exist"):
        read_demographics(tmp_path / "none.csv")
    (tmp_path / "t.csv").write_text("name of it,age\nx,3\n")
    with pytest.raises(
        ValueError, match=r"t.csv has no column of subject names: one of ixi_id, .* it has name of it, age"
    ):
        read_demographics(tmp_path / "t.csv")
    (tmp_path / "t.json").write_text("{}")
    with pytest.raises(ValueError, match=r"must be an .xls, .csv or .tsv file, got t.json"):
        read_demographics(tmp_path / "t.json")
    (tmp_path / "t.xls").write_text("not a workbook")
    with pytest.raises(ValueError, match=r"t.xls cannot be read as an .xls table"):
        read_demographics(tmp_path / "t.xls")
