# SPDX-License-Identifier: Apache-2.0
"""Tables as they come out of spreadsheets, databases and editors."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.data.table_rows import read_rows

READABLE = {
    "plain.csv": b"subject,age\na,30\n",
    "crlf.csv": b"subject,age\r\na,30\r\n",
    "blank lines.csv": b"\nsubject,age\n\n,\na,30\n\n",
    "no end of line.csv": b"subject,age\na,30",
    "semicolon.csv": b"subject;age\na;30\n",
    "bar.csv": b"subject|age\na|30\n",
    "tabs.csv": b"subject\tage\na\t30\n",
    "commas.tsv": b"subject,age\na,30\n",
    "excel.csv": b"sep=;\r\nsubject;age\r\na;30\r\n",
    "spaces.csv": b" subject ,age \na,30\n",
    "quotes.csv": b'"subject","age"\n"a","30"\n',
    "utf16.csv": "subject,age\na,30\n".encode("utf-16"),
    "utf16 big endian.csv": b"\xfe\xff" + "subject,age\na,30\n".encode("utf-16-be"),
    "trailing separators.csv": b"subject,age,,\na,30,,\n",
}
SEEN = {
    "Loris-MRI-610 mark of UTF-8.tsv": b"\xef\xbb\xbfsubject\tage\na\t30\n",
    "legacy-validator-1901 carriage returns.tsv": b"subject\tage\ra\t30\r",
}


@pytest.mark.parametrize(("name", "content"), [*READABLE.items(), *SEEN.items()], ids=[*READABLE, *SEEN])
def test_readable(tmp_path: Path, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)
    (row,) = read_rows(tmp_path / name)
    cells = {column: str(cell).strip() for column, cell in row.cells.items() if column}
    assert cells == {"subject": "a", "age": "30"}


def test_letters_of_windows(tmp_path: Path):
    (tmp_path / "t.csv").write_bytes("subject,site\nänna,Köln\n".encode("cp1252"))
    assert read_rows(tmp_path / "t.csv")[0].cells == {"subject": "änna", "site": "Köln"}


def test_rows_keep_their_numbers(tmp_path: Path):
    (tmp_path / "t.csv").write_text('subject,note\n\na,"two\nlines"\nb,x\n')
    assert [row.number for row in read_rows(tmp_path / "t.csv")] == [3, 5]


def test_short_rows_lack_their_last_cells(tmp_path: Path):
    (tmp_path / "t.csv").write_text("subject,age,sex\na,30\n")
    assert read_rows(tmp_path / "t.csv")[0].cells == {"subject": "a", "age": "30"}


REFUSED = {
    "empty.csv": (b"", "is empty"),
    "blank.csv": (b"\n \n", "is empty"),
    "long.csv": (b"subject,age\nb,1\na,30,x\n", r"row 3, has 3 cells, its header 2 \(subject, age, ...\)"),
    "decimal comma.csv": (b"subject,age,sex\na,30,5,M\n", "row 2, has 4 cells, its header 3"),
    "title.csv": (
        b"My study\nsubject,age\n",
        r"row 2, has 2 cells, its header 1 \(My study, ...\). The first row must",
    ),
    "open quote.csv": (b'subject,age\n"a,30\nb,40\n', "row 2, cannot be read"),
    "stray quote.csv": (b'subject,age\n"a"x,30\n', "row 2, cannot be read"),
    "null.csv": (b"subject,age\na,3\x000\n", "row 2, holds a null character"),
    "long cell.csv": (b"subject,age\n" + b"x" * 200_000 + b",3\n", "row 2, cannot be read"),
    "page.xls": (b"<html></html>", "cannot be read as an .xls table"),
    "table.xlsx": (b"PK", "must be an .xls, .csv or .tsv file, got table.xlsx. Save it as .csv"),
}


@pytest.mark.parametrize(("name", "content", "message"), [(k, *v) for k, v in REFUSED.items()], ids=list(REFUSED))
def test_refused_with_file_and_row(tmp_path: Path, name: str, content: bytes, message: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_rows(tmp_path / name)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("damage", [slice(30_000, None), slice(600, 700)], ids=["cut", "overwritten"])
def test_a_damaged_workbook(real_data: Path, tmp_path: Path, damage: slice):
    content = bytearray((real_data / "IXI.xls").read_bytes())
    content[damage] = b"" if damage.stop is None else b"\xff" * 100
    (tmp_path / "t.xls").write_bytes(content)
    with pytest.raises(ValueError, match=r"t.xls cannot be read as an .xls table \(.+\). Save it as .csv."):
        read_rows(tmp_path / "t.xls")
