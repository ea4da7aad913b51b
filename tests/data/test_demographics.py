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


ODD = {
    "034Y": 34.0, "34 years": 34.0, "34,5": 34.5, "89+": 89.0, "> 90": 90.0, "018M": 1.5, "18 months": 1.5, "0": None,
    "n/a": None, "30-35": None, "abc": None, "-3": None, "150": None, "30M": None, "nan": None, "1e2": 100.0,
}  # fmt: skip


@pytest.mark.parametrize(("text", "age"), ODD.items(), ids=str)
def test_ages_as_people_write_them(tmp_path: Path, text: str, age: float | None):
    (tmp_path / "t.csv").write_text(f'subject;age\na;"{text}"\n')
    table = read_demographics(tmp_path / "t.csv")
    assert table == {"a": Demographics(age=age)}
    silent = age is not None or text in ("0", "n/a", "nan")
    expected = f"t.csv, row 2: age '{text}' is no possible age in years, so it is unknown"
    assert table.notes == ([] if silent else [("a", expected)])


@pytest.mark.parametrize(
    ("birth", "study", "age"),
    [
        ("1970-05-31", "2000-05-31", 30.0),
        ("31.05.1970", "20000531", 30.0),
        ("1970/05/31", "2000-05-31T10:00:00", 30.0),
        ("01/02/1970", "2000-05-31", None),  # February or January
        ("1970-13-45", "2000-05-31", None),
        ("", "2000-05-31", None),
    ],
)
def test_ages_from_dates(tmp_path: Path, birth: str, study: str, age: float | None):
    (tmp_path / "t.csv").write_text(f"subject,DOB,STUDY_DATE\na,{birth},{study}\n")
    table = read_demographics(tmp_path / "t.csv")
    assert table["a"].age == (age and pytest.approx(age, abs=0.01))
    assert [note for _, note in table.notes] == (
        [f"t.csv, row 2: the date '{birth}' is none, or ambiguous (write 1970-05-31), so the age is unknown"]
        if birth and age is None
        else []
    )


def test_visits_of_a_subject_do_not_contradict_each_other(tmp_path: Path):
    (tmp_path / "adni.csv").write_text(
        '"Image Data ID","Subject","Group","Sex","Age","Visit"\n"I1","002_S_0295","CN","M","88","m36"\n'
        '"I2","002_S_0295","CN","M","85","bl"\n"I3","005_S_0221","AD","F","70","bl"\n"I4","005_S_0221","AD","F","75","bl"\n'
    )
    table = read_demographics(tmp_path / "adni.csv")
    assert table == {"002_S_0295": Demographics(age=85.0, sex="M"), "005_S_0221": Demographics(sex="F")}
    assert table.notes == [("005_S_0221", "adni.csv, rows 4 and 5: age is 70.0 and 75.0, so it is unknown")]
    (tmp_path / "oasis.csv").write_text("ID,M/F,Age\nOAS1_0001_MR1,F,74\nOAS1_0001_MR2,F,79\n")
    names = {"OAS1_0001_MR1": "OAS1_0001", "OAS1_0001_MR2": "OAS1_0001"}
    assert read_demographics(tmp_path / "oasis.csv", names.get) == {"OAS1_0001": Demographics(age=74.0, sex="F")}


def test_contradictions_are_noted_with_their_rows(tmp_path: Path):
    (tmp_path / "t.csv").write_text("subject,age,sex\na,30,M\n\na,40,F\n")
    table = read_demographics(tmp_path / "t.csv")
    assert table.notes == [
        ("a", "t.csv, rows 2 and 4: age is 30.0 and 40.0, so it is unknown"),
        ("a", "t.csv, rows 2 and 4: sex is M and F, so it is unknown"),
    ]


@pytest.mark.parametrize(
    ("header", "cell", "message"),
    [
        ("subject,age,age", "1,2", "row 1: the columns age and age .again. have the same name"),
        (
            "subject,age (years),age (days)",
            "1,2",
            r"row 1: the columns age \(years\) and age \(days\) have the same name",
        ),
        ("subject,age (days)", "9000", r"row 1: the column age \(days\) is not in years"),
        ("weight,age", "3", "row 1: no column of subject names"),
    ],
)
def test_ambiguous_columns_are_refused(tmp_path: Path, header: str, cell: str, message: str):
    (tmp_path / "t.csv").write_text(f"{header}\na,{cell}\n")
    with pytest.raises(ValueError, match=rf"t\.csv, {message}"):
        read_demographics(tmp_path / "t.csv")


def test_months_become_years(tmp_path: Path):
    (tmp_path / "t.csv").write_text("subject,Age (months)\na,360\n")
    assert read_demographics(tmp_path / "t.csv") == {"a": Demographics(age=30.0)}


def test_numbers_and_names_of_ixi(tmp_path: Path):
    (tmp_path / "t.CSV").write_text("IXI_ID,AGE,SEX_ID\n12,33,1.0\nIXI013,40,2\n14.0,50,0\nTotal,3,\nN/A,1,\n")
    assert read_demographics(tmp_path / "t.CSV") == {
        "IXI012": Demographics(age=33.0, sex="M"),
        "IXI013": Demographics(age=40.0, sex="F"),
        "IXI014": Demographics(age=50.0),
        "Total": Demographics(age=3.0),
    }
    (tmp_path / "t.csv").write_text("subject,age\n12,33\n")
    assert list(read_demographics(tmp_path / "t.csv")) == ["12"]


def test_what_counts_as_nothing(tmp_path: Path):
    (tmp_path / "t.csv").write_text(
        "id,Age,sex,site,ethnicity,dob,study_date\na,N/A,Unknown,NA,None,0,?\nb,0.5,.,-,0,,\n"
    )
    table = read_demographics(tmp_path / "t.csv")
    assert (table, table.notes) == ({"a": Demographics(), "b": Demographics(age=0.5)}, [])
    (tmp_path / "t.csv").write_text("id,age\n")
    assert read_demographics(tmp_path / "t.csv") == {}


def test_ages_a_year_apart_are_of_one_visit(tmp_path: Path):
    (tmp_path / "t.csv").write_text("id,age\na,30\na,31\nb,30\nb,31.1\n")
    assert read_demographics(tmp_path / "t.csv") == {"a": Demographics(age=30.0), "b": Demographics()}


def test_table_of_brats(tmp_path: Path):
    (tmp_path / "survival_info.csv").write_text("Brats20ID,Age,Survival_days\nBraTS20_Training_001,60.463,289\n")
    assert read_demographics(tmp_path / "survival_info.csv") == {"BraTS20_Training_001": Demographics(age=60.463)}


def test_errors(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"none.csv does not exist"):
        read_demographics(tmp_path / "none.csv")
    (tmp_path / "t.csv").write_text("name of it,age\nx,3\n")
    with pytest.raises(
        ValueError, match=r"t.csv, row 1: no column of subject names, one of ixi_id, .* it has name of it, age"
    ):
        read_demographics(tmp_path / "t.csv")
    (tmp_path / "t.json").write_text("{}")
    with pytest.raises(ValueError, match=r"must be an .xls, .csv or .tsv file, got t.json"):
        read_demographics(tmp_path / "t.json")
    (tmp_path / "t.xls").write_text("not a workbook")
    with pytest.raises(ValueError, match=r"t.xls cannot be read as an .xls table"):
        read_demographics(tmp_path / "t.xls")
