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

A BIDS ``participants.tsv`` is read in the same way; there ``n/a`` is unknown too.
"""

from __future__ import annotations

import csv
import datetime
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Demographics", "read_demographics"]

AGE_YEARS = (0.0, 120.0)
HEIGHT_CM = (120.0, 220.0)
WEIGHT_KG = (30.0, 250.0)
AGE_CONTRADICTION_YEARS = 1.0
DAYS_PER_YEAR = 365.25
UNKNOWN = {"", "n/a", "na", "nan", "none", "null", "unknown", "?"}
COLUMNS = {
    "subject": ("ixi_id", "participant_id", "subject_id", "subject", "id", "name"),
    "age": ("age", "age_years", "age_at_scan"),
    "sex": ("sex_id", "sex", "gender"),
    "ethnicity": ("ethnic_id", "ethnicity", "ethnicity_id"),
    "site": ("site", "scanner", "site_id", "center", "centre"),
    "height_cm": ("height", "height_cm"),
    "weight_kg": ("weight", "weight_kg"),
    "birth": ("dob", "date_of_birth"),
    "study": ("study_date",),
}
"""Accepted column names, in lower case and without what follows in brackets ("SEX_ID (1=m, 2=f)")."""


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


def read_demographics(path: str | os.PathLike[str]) -> dict[str, Demographics]:
    """Read a demographic table by the rules of this module.

    Args:
        path: an ``.xls`` file (first sheet), a ``.csv`` or a ``.tsv``, with a column of subject names (``IXI_ID``,
            ``participant_id``, ``subject``, ``id``) and any of age, sex, ethnicity, site.

    Returns:
        Demographics of each subject. The subjects of an ``IXI_ID`` column are called ``IXI012``, the others as in
        the table.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not one of these formats, unreadable, or without a column of subject names.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"the demographic table {file} does not exist. Give an .xls, .csv or .tsv file.")
    rows = _read_rows(file)
    header = {_column(name): name for name in (rows[0] if rows else {})}
    found = {
        field: next((header[alias] for alias in aliases if alias in header), None) for field, aliases in COLUMNS.items()
    }
    if found["subject"] is None:
        raise ValueError(
            f"{file} has no column of subject names: one of {', '.join(COLUMNS['subject'])} is needed, it has "
            f"{', '.join(header) or 'no row'}."
        )
    is_ixi = _column(found["subject"]) == "ixi_id"
    by_subject: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        subject = _text(row[found["subject"]])
        if subject is not None:
            name = f"IXI{int(float(subject)):03d}" if is_ixi else subject
            by_subject.setdefault(name, []).append(
                {field: row.get(column) for field, column in found.items() if column is not None}
            )
    return {subject: _merge(rows) for subject, rows in by_subject.items()}


def _merge(rows: Iterable[Mapping[str, Any]]) -> Demographics:
    """One record from all the rows of a subject."""
    records = [_record(row) for row in rows]
    return Demographics(
        age=_agreed((record.age for record in records), lambda a, b: abs(a - b) <= AGE_CONTRADICTION_YEARS),
        sex=_agreed(record.sex for record in records),
        ethnicity=_agreed(record.ethnicity for record in records),
        site=_agreed(record.site for record in records),
        height_cm=_agreed(record.height_cm for record in records),
        weight_kg=_agreed(record.weight_kg for record in records),
    )


def _agreed(values: Iterable[Any], same: Callable[[Any, Any], bool] = lambda a, b: a == b) -> Any:
    """The first known value, or ``None`` where another contradicts it."""
    known = [value for value in values if value is not None]
    return known[0] if known and all(same(known[0], value) for value in known) else None


def _record(row: Mapping[str, Any]) -> Demographics:
    """One row, each value known and possible or ``None``."""
    age = _number(row.get("age"), AGE_YEARS)
    birth, study = row.get("birth"), row.get("study")
    if age is None and isinstance(birth, datetime.date) and isinstance(study, datetime.date):
        age = _number((study - birth).days / DAYS_PER_YEAR, AGE_YEARS)
    return Demographics(
        age=age,
        sex=_sex(row.get("sex")),
        ethnicity=_code(row.get("ethnicity")),
        site=_text(row.get("site")),
        height_cm=_number(row.get("height_cm"), HEIGHT_CM),
        weight_kg=_number(row.get("weight_kg"), WEIGHT_KG),
    )


def _text(value: Any) -> str | None:
    text = str(value).strip() if value is not None else ""
    return None if text.lower() in UNKNOWN else text


def _number(value: Any, possible: tuple[float, float]) -> float | None:
    """A number above the lower bound (0 is unknown) and at most the upper one."""
    try:
        number = float(str(value).strip())
    except ValueError:
        return None
    return round(number, 4) if math.isfinite(number) and number > 0 and possible[0] <= number <= possible[1] else None


def _sex(value: Any) -> str | None:
    return {"1": "M", "2": "F", "m": "M", "f": "F", "male": "M", "female": "F"}.get(_code_text(value).lower())


def _code(value: Any) -> int | str | None:
    text = _code_text(value)
    return None if text.lower() in UNKNOWN | {"0"} else int(text) if text.isdecimal() else text


def _code_text(value: Any) -> str:
    """Spreadsheets hold whole numbers as floats: 1.0 is the code 1."""
    return "" if value is None else re.sub(r"\.0+$", "", str(value).strip())


def _column(name: str) -> str:
    return re.sub(r"\s*\(.*", "", str(name)).strip().lower()


def _read_rows(file: Path) -> list[dict[str, Any]]:
    suffix = file.suffix.lower()
    if suffix == ".xls":
        return _read_xls(file)
    if suffix in (".csv", ".tsv"):
        with file.open(newline="", encoding="utf-8-sig") as stream:
            return list(csv.DictReader(stream, delimiter="\t" if suffix == ".tsv" else ","))
    raise ValueError(f"the demographic table must be an .xls, .csv or .tsv file, got {file.name}. Save it as .csv.")


def _read_xls(file: Path) -> list[dict[str, Any]]:
    import xlrd

    try:
        book = xlrd.open_workbook(file)
    except xlrd.XLRDError as error:
        raise ValueError(f"{file} cannot be read as an .xls table ({error}). Save it as .csv.") from error
    sheet = book.sheet_by_index(0)

    def value(cell: xlrd.sheet.Cell) -> Any:
        if cell.ctype == xlrd.XL_CELL_DATE:
            return xlrd.xldate.xldate_as_datetime(cell.value, book.datemode)
        return cell.value if cell.ctype in (xlrd.XL_CELL_TEXT, xlrd.XL_CELL_NUMBER) else None

    lines = [[value(cell) for cell in sheet.row(index)] for index in range(sheet.nrows)]
    names = [str(name) for name in lines[0]] if lines else []
    return [dict(zip(names, line, strict=True)) for line in lines[1:]]
