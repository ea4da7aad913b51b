# SPDX-License-Identifier: Apache-2.0
"""Age, sex, ethnicity and site of the subjects from a table (.xls, .csv, .tsv), defects and all.

The table of the IXI data set has 619 rows for 593 subjects. Rules, one for each of its defects:

- **0 means unknown** in every column (height 51 times, weight 52, ethnicity 37, ...).
- **Empty cells are unknown**; an age that is missing is computed from DOB and STUDY_DATE where both are there (they
  never are in the 29 rows without age).
- **Impossible values are unknown**, not corrected: heights outside 120 to 220 cm (75, 110, 1520, 1850), weights outside
  30 to 250 kg (710 twice, 960), ages outside 0 to 120 years.
- **26 subjects have two rows.** For each column the first known value counts: in most pairs the second row has only
  zeros. Where two rows contradict each other the value is unknown: ages more than a year apart, or another sex,
  ethnicity, height or weight (nobody can say which row belongs to the head).
- **A subject without a row, or without a value, stays in the cohort** with that attribute unknown.

A BIDS ``participants.tsv`` is read in the same way; there ``n/a`` is unknown too, and ``89+`` is 89. Ages may be
written as DICOM and people do (``034Y``, ``34 years``, ``018M`` for months, ``34,5``), dates as ``1970-05-31``,
``19700531`` or ``31.05.1970``. Rows of different visits of a subject do not contradict each other: the age is that of
the first visit. What cannot be read is unknown, and said with its row.
"""

from __future__ import annotations

import datetime
import math
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .table_rows import Row, read_rows

__all__ = ["DemographicTable", "Demographics", "read_demographics"]

AGE_YEARS = (0.0, 120.0)
HEIGHT_CM = (120.0, 220.0)
WEIGHT_KG = (30.0, 250.0)
AGE_CONTRADICTION_YEARS = 1.0
DAYS_PER_YEAR = 365.25
UNKNOWN = {"", "n/a", "na", "nan", "none", "null", "unknown", "?", "-", "."}
AGE = re.compile(r">?=?\s*(\d+(?:[.,]\d+)?)\s*\+?\s*(?:y|yrs?|years?)?", re.IGNORECASE)
AGE_IN_MONTHS = re.compile(r"(\d{3}|\d+(?:[.,]\d+)?(?=\s*mo))\s*(?:m|mo|months?)", re.IGNORECASE)
DATES = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d.%m.%Y")
SEXES = {"1": "M", "2": "F", "m": "M", "f": "F", "male": "M", "female": "F", "man": "M", "woman": "F"}
COLUMNS = {
    "subject": (
        *("ixi_id", "participant_id", "subject_id", "subject", "participant", "patient_id", "patient", "id", "name"),
        *("ptid", "patno", "oasisid", "mri_id"),
    ),
    "age": ("age", "age_years", "age_at_scan", "ageatentry", "age_at_visit"),
    "sex": ("sex_id", "sex", "gender", "ptgender", "m/f"),
    "ethnicity": ("ethnic_id", "ethnicity", "ethnicity_id", "ptethcat"),
    "site": ("site", "scanner", "site_id", "center", "centre"),
    "height_cm": ("height", "height_cm"),
    "weight_kg": ("weight", "weight_kg"),
    "birth": ("dob", "date_of_birth", "birth_date", "birthdate"),
    "study": ("study_date", "scan_date", "acq_date", "acquisition_date", "examdate"),
    "visit": ("session", "session_id", "visit", "viscode", "visit_code", "timepoint", "mri_id", "mr_id"),
}
"""Accepted column names, in lower case, with _ for spaces, without what follows in brackets ("SEX_ID (1=m, 2=f)")."""


@dataclass(frozen=True)
class Demographics:
    """What a table says about a subject; ``None`` is unknown."""

    age: float | None = None
    """Years."""
    sex: str | None = None
    """``"M"`` or ``"F"``."""
    ethnicity: int | str | None = None
    """The table's own code."""
    site: str | None = None
    height_cm: float | None = None
    weight_kg: float | None = None


class DemographicTable(dict[str, Demographics]):
    """Demographics by subject, and what in the table could not be read.

    Attributes:
        notes: subject and what is unknown about it, with the row.
    """

    def __init__(self, content: Mapping[str, Demographics], notes: Sequence[tuple[str, str]]) -> None:
        super().__init__(content)
        self.notes = list(notes)


def read_demographics(
    path: str | os.PathLike[str], name_of: Callable[[str], str | None] = lambda name: name
) -> DemographicTable:
    """Read a demographic table by the rules of this module.

    Args:
        path: an ``.xls`` file (first sheet), a ``.csv`` or a ``.tsv``, with a column of subject names (``IXI_ID``,
            ``participant_id``, ``subject``, ``id``, ...) and any of age, sex, ethnicity, site.
        name_of: function from a name in the table to that of the subject, ``None`` for one who is not asked for.

    Returns:
        Demographics of each subject. The subjects of an ``IXI_ID`` column are called ``IXI012``, the others as in
        the table.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not one of these formats, unreadable, or without a column of subject names; with file and row.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(
            f"the demographic table {file} does not exist, or is no file. Give an .xls, .csv or .tsv file."
        )
    rows = read_rows(file)
    found = _used_columns(file, rows[0].cells)
    column = found["subject"]
    by_subject: dict[str, list[_Record]] = {}
    for row in rows:
        name = _code_text(row.cells.get(column))
        if name.lower() in UNKNOWN:
            continue
        if _column(column) == "ixi_id" and name.isdecimal():
            name = f"IXI{int(name):03d}"
        subject = name_of(name)
        if subject is not None:
            values = {field: row.cells.get(source) for field, source in found.items()}
            if "month" in found.get("age", "").lower():
                values["age"] = f"{_code_text(values['age'])} months"
            by_subject.setdefault(subject, []).append(_record(row, name, values))
    notes: list[tuple[str, str]] = []
    merged = {subject: _merge(subject, records, notes) for subject, records in by_subject.items()}
    return DemographicTable(merged, [(subject, f"{file.name}, {note}") for subject, note in notes])


def _used_columns(file: Path, names: Collection[str]) -> dict[str, str]:
    """The column of each field that the table has."""
    columns: dict[str, list[str]] = {}
    for name in names:
        columns.setdefault(_column(name), []).append(name)
    found: dict[str, str] = {}
    for field, aliases in COLUMNS.items():
        known = next((columns[alias] for alias in aliases if alias in columns), [])
        if len(known) > 1:
            raise ValueError(f"{file}, row 1: the columns {' and '.join(known)} have the same name. Leave one.")
        if known:
            found[field] = known[0]
    if "subject" not in found:
        raise ValueError(
            f"{file}, row 1: no column of subject names, one of {', '.join(COLUMNS['subject'])} is needed, it has "
            f"{', '.join(names) or 'no column'}."
        )
    if re.search(r"day|week", found.get("age", ""), re.IGNORECASE):
        raise ValueError(f"{file}, row 1: the column {found['age']} is not in years. Give ages in years.")
    return found


@dataclass(frozen=True)
class _Record:
    """A row: what it says, each value known and possible or ``None``."""

    number: int
    facts: Demographics
    visit: tuple[str, str]
    odd: tuple[str, ...]


def _merge(subject: str, records: Sequence[_Record], notes: list[tuple[str, str]]) -> Demographics:
    """One record from all the rows of a subject; what is contradictory or unreadable is noted."""
    notes += [(subject, f"row {record.number}: {odd}") for record in records for odd in record.odd]

    def agreed(field: str, rows: Sequence[_Record], same: Callable[[Any, Any], bool] = lambda a, b: a == b) -> Any:
        known = [(row.number, getattr(row.facts, field)) for row in rows if getattr(row.facts, field) is not None]
        other = next((one for one in known[1:] if not same(known[0][1], one[1])), None)
        if other is None:
            return known[0][1] if known else None
        rows_shown = f"rows {known[0][0]} and {other[0]}"
        notes.append((subject, f"{rows_shown}: {field} is {known[0][1]} and {other[1]}, so it is unknown"))
        return None

    visits: dict[tuple[str, str], list[_Record]] = {}
    for record in records:
        visits.setdefault(record.visit, []).append(record)
    ages = [agreed("age", rows, lambda a, b: abs(a - b) <= AGE_CONTRADICTION_YEARS) for rows in visits.values()]
    return Demographics(
        age=min((age for age in ages if age is not None), default=None),
        **{name: agreed(name, records) for name in ("sex", "ethnicity", "site", "height_cm", "weight_kg")},
    )


def _record(row: Row, name: str, values: Mapping[str, Any]) -> _Record:
    age = _number(_years(values.get("age")), AGE_YEARS)
    birth, study = _date(values.get("birth")), _date(values.get("study"))
    if age is None and birth is not None and study is not None:
        age = _number((study - birth).days / DAYS_PER_YEAR, AGE_YEARS)
    sex = SEXES.get(_code_text(values.get("sex")).lower())
    odd = [
        f"{field} {_code_text(values[field])!r} is {what}, so it is unknown"
        for field, value, what in (("age", age, "no possible age in years"), ("sex", sex, "neither M nor F"))
        if value is None and _code_text(values.get(field)).lower() not in UNKNOWN | {"0"}
    ]
    odd += [
        f"the date {_code_text(values[field])!r} is none, or ambiguous (write 1970-05-31), so the age is unknown"
        for field, value in (("birth", birth), ("study", study))
        if age is None and value is None and _code_text(values.get(field)).lower() not in UNKNOWN | {"0"}
    ]
    facts = Demographics(
        age=age,
        sex=sex,
        ethnicity=_code(values.get("ethnicity")),
        site=_text(values.get("site")),
        height_cm=_number(values.get("height_cm"), HEIGHT_CM),
        weight_kg=_number(values.get("weight_kg"), WEIGHT_KG),
    )
    return _Record(row.number, facts, (name, _code_text(values.get("visit"))), tuple(odd))


def _text(value: Any) -> str | None:
    text = _code_text(value)
    return None if text.lower() in UNKNOWN else text


def _years(value: Any) -> Any:
    """An age as people write it, in years."""
    text = str(value).strip()
    if months := AGE_IN_MONTHS.fullmatch(text):
        return float(months[1].replace(",", ".")) / 12
    years = AGE.fullmatch(text)
    return years[1].replace(",", ".") if years else value


def _date(value: Any) -> datetime.date | None:
    """A date; one like 01/02/1970, of which nobody knows the month, is unknown."""
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, datetime.date):
        return value
    text = re.split(r"[T ]", _code_text(value))[0]
    for form in DATES:
        try:
            return datetime.datetime.strptime(text, form).date()
        except ValueError:
            continue
    return None


def _number(value: Any, possible: tuple[float, float]) -> float | None:
    """A number above the lower bound (0 is unknown) and at most the upper one."""
    try:
        number = float(str(value).strip())
    except ValueError:
        return None
    return round(number, 4) if math.isfinite(number) and number > 0 and possible[0] <= number <= possible[1] else None


def _code(value: Any) -> int | str | None:
    text = _code_text(value)
    return None if text.lower() in UNKNOWN | {"0"} else int(text) if text.isdecimal() else text


def _code_text(value: Any) -> str:
    """Spreadsheets hold whole numbers as floats: 1.0 is the code 1."""
    return "" if value is None else re.sub(r"^(\d+)\.0+$", r"\1", str(value).strip())


def _column(name: str) -> str:
    plain = re.sub(r"[\s-]+", "_", re.sub(r"\s*\(.*", "", str(name)).strip().lower())
    return "subject_id" if re.fullmatch(r"(?:subject|patient|brats\w*)_?id", plain) else plain
