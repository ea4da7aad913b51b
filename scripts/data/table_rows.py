# SPDX-License-Identifier: Apache-2.0
"""Rows of a table as people have them: .xls, .csv or .tsv, any usual encoding, separator and end of line."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Row", "read_rows"]

SEPARATORS = (",", ";", "\t", "|")
BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class Row(NamedTuple):
    """A row of a table."""

    number: int
    """Line of the file or the sheet, the first is 1."""
    cells: dict[str, Any]
    """Values by column; a second one of a name has `` (again)`` after it."""


def read_rows(file: Path) -> list[Row]:
    """Read the rows of a table below its header; empty rows are left out.

    Args:
        file: an ``.xls`` file (first sheet), a ``.csv`` or a ``.tsv``. Of text the encoding is UTF-8 or UTF-16 with its
            mark, else Windows's; the separator is the one that the header has most often.

    Raises:
        ValueError: another format, or damaged; the message names file and row.
    """
    suffix = file.suffix.lower()
    if suffix not in (".xls", ".csv", ".tsv"):
        raise ValueError(f"the demographic table must be an .xls, .csv or .tsv file, got {file.name}. Save it as .csv.")
    lines = _sheet(file) if suffix == ".xls" else _text_lines(file)
    if not lines:
        raise ValueError(f"{file} is empty. A table has a header and a row for each subject.")
    header: list[str] = []
    for name in (str(cell or "").strip() for cell in lines[0][1]):
        header.append(f"{name} (again)" if name and name in header else name)
    rows = []
    for number, cells in lines[1:]:
        surplus = [cell for cell in cells[len(header) :] if str(cell or "").strip()]
        if surplus:
            raise ValueError(
                f"{file}, row {number}, has {len(cells)} cells, its header {len(header)} ({', '.join(header[:3])}, "
                "...). The first row must name the columns, and a cell that holds the separator needs quotes."
            )
        rows.append(Row(number, dict(zip(header, cells, strict=False))))
    return rows or [Row(0, dict.fromkeys(header))]


def _text_lines(file: Path) -> list[tuple[int, list[Any]]]:
    """Number and cells of each line that is not empty."""
    text = _decoded(file.read_bytes())
    if "\0" in text:
        number = text[: text.index("\0")].count("\n") + 1
        raise ValueError(f"{file}, row {number}, holds a null character: it is no text. Save it as .csv again.")
    text = re.sub(r"\r\n?", "\n", text)
    first = next((line for line in text.split("\n") if line.strip()), "")
    told = re.fullmatch(r'"?sep=(.)"?', first.strip())  # Excel's own line
    separator = told[1] if told else max(SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    lines: list[tuple[int, list[Any]]] = []
    start = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells) and not (told and start == 1):
                lines.append((start, cells))
            start = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"{file}, row {start}, cannot be read ({error}). Is a quote not closed?") from error
    return lines


def _decoded(content: bytes) -> str:
    for mark, encoding in BOMS.items():
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _sheet(file: Path) -> list[tuple[int, Sequence[Any]]]:
    import xlrd

    try:
        book = xlrd.open_workbook(file, logfile=io.StringIO())
        sheet = book.sheet_by_index(0)
    except Exception as error:  # of a damaged file xlrd raises what it likes
        raise ValueError(
            f"{file} cannot be read as an .xls table ({str(error) or type(error).__name__}). Save it as .csv."
        ) from error

    def value(cell: xlrd.sheet.Cell) -> Any:
        if cell.ctype == xlrd.XL_CELL_DATE:
            try:
                return xlrd.xldate.xldate_as_datetime(cell.value, book.datemode)
            except (ValueError, OverflowError, xlrd.xldate.XLDateError):
                return None
        return cell.value if cell.ctype in (xlrd.XL_CELL_TEXT, xlrd.XL_CELL_NUMBER) else None

    lines = [(index + 1, [value(cell) for cell in sheet.row(index)]) for index in range(sheet.nrows)]
    return [(number, cells) for number, cells in lines if any(str(cell or "").strip() for cell in cells)]
