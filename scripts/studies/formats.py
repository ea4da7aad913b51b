# SPDX-License-Identifier: Apache-2.0
"""What inference reads, refuses and warns of, as one document made from the code: ``docs/formats.md``.

Run ``python -m scripts.studies.formats`` after a change; a test says when it is needed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from ..anatomy.domain import RULES
from ..files.formats import FORMATS, Format, refusal
from ..files.nifti_header import DOUBTS
from ..files.nifti_image import CUT_OFF
from ..recipes.places import PACKAGE_DIR, ROOT

__all__ = ["PAGE", "document", "refusals"]

PAGE = ROOT / "docs/formats.md"
REFUSING = {
    "Any file": ("files/checked.py", "transforms/load_volume.py", "files/folder_walk.py"),
    "NIfTI and MGH": ("files/nifti.py",),
    "MetaImage and NRRD": ("files/text_headers.py",),
    "DICOM series": ("files/dicom_volumes.py", "files/dicom_convert.py", "files/dicom_check.py"),
    "What is no head that can be restored": ("anatomy/sound_volume.py", "anatomy/intensity_range.py"),
}
"""The files in which an image is refused, by what they look at."""
REFUSALS = {"ValueError", "FileNotFoundError", "TimeoutError"}
OF_OTHER_THINGS = {"__init__", "check_zip"}
"""Functions that refuse options and weights."""
TEXT = """# What is read, refused and warned of

Made from the code by `python -m scripts.studies.formats`; a test compares the two. `…` stands for a value. To see what
holds of a folder, before anything is written: `python -m scripts restore IN OUT --dry_run`.

## Read

| format | endings | by | |
|---|---|---|---|
{read}
| DICOM | any: recognised by its content | dcm2niix, or itk | see [DICOM](dicom.md) |

Headers, lengths and checksums have to agree before a voxel is read, and the memory that restoring takes has to be below
`max_memory` (8 GB by default). A file that is compressed by gzip is read whatever its name. The result of a NIfTI file
keeps its header: qform and sform with their codes, unit of length, texts, extensions, version. `--dtype input` gives it
the stored type with slope and offset, too.

## Refused by name

| format | endings | line |
|---|---|---|
{unread}

All other files are counted by their endings, in one line and in `report.json`.

## Refused

Each is one line on the screen and in `report.json`; the others are done.

{refused}

## Warned of

The result is written; the warning is a line of the log, and in `report.json` and the sidecar of the result.

| what | line |
|---|---|
{warned}
"""


def document() -> str:
    """The text of ``docs/formats.md``."""
    rows = [(doubt, text) for doubt, text in DOUBTS.items()]
    rows += [(rule.what, rule.text) for rule in RULES]
    rows.append(("with `--dtype input`: values that the type cannot hold", CUT_OFF))
    return TEXT.format(
        read="\n".join(
            f"| {one.name} | {_endings(one)} | {one.reader} | {one.remark} |" for one in FORMATS if one.reader
        ),
        unread="\n".join(f"| {one.name} | {_endings(one)} | {refusal(one)} |" for one in FORMATS if not one.reader),
        refused="\n".join(
            f"**{what}**\n\n" + "\n".join(f"- {line}" for line in _of_files(files)) + "\n"
            for what, files in REFUSING.items()
        ).rstrip(),
        warned="\n".join(f"| {what} | {_shown(text)} |" for what, text in rows),
    )


def refusals(file: Path) -> Iterator[str]:
    """The messages with which a file of the package refuses an image, values as ``…``.

    Args:
        file: Python file.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name not in OF_OTHER_THINGS:
            for node in ast.walk(function):
                if isinstance(node, ast.Raise) and _kind(node.exc) in REFUSALS:
                    yield from map(_shown, _texts(node.exc.args[0]))  # type: ignore[union-attr]
                elif isinstance(node, ast.Return) and function.name == "_reason" and node.value is not None:
                    yield from map(_shown, _texts(node.value))


def _kind(raised: ast.expr | None) -> str:
    """Name of the class of an exception that is made where it is raised."""
    return raised.func.id if isinstance(raised, ast.Call) and isinstance(raised.func, ast.Name) else ""


def _of_files(files: tuple[str, ...]) -> list[str]:
    return sorted({line for file in files for line in refusals(PACKAGE_DIR / file) if line.strip("… .")})


def _texts(node: ast.expr) -> list[str]:
    """The texts that an expression may be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return ["".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)]  # type: ignore[misc]
    if isinstance(node, ast.IfExp):
        return [*_texts(node.body), *_texts(node.orelse)]
    return []


def _endings(one: Format) -> str:
    return " ".join(f"`{ending}`" for ending in one.endings)


def _shown(text: str) -> str:
    return re.sub(r"\{[^}]*\}", "…", text).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(document(), encoding="utf-8")
