# SPDX-License-Identifier: Apache-2.0
"""Every relative link of a page leads somewhere, and every picture is shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.studies.formats import PAGE, document, refusals

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bundle").rglob("*.md")])
FIGURES = sorted((ROOT / "docs").rglob("*.png"))
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"\bdocs/(?!README)[\w/-]+\.(?:md|txt|png)")  # docs/README.md is the card in a built bundle


def links(page: Path) -> list[str]:
    return LINK.findall(CODE.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page):
    for link in links(page):
        place, _, anchor = link.partition("#")
        if not re.match(r"[a-z]+:", place):
            target = page.parent / place if place else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def test_every_figure_is_shown_on_a_page():
    shown = {(page.parent / link).resolve() for page in PAGES for link in links(page) if link.endswith(".png")}
    assert FIGURES
    assert set(FIGURES) <= shown


def test_pages_that_the_code_names_are_there():
    files = [path for folder in ("scripts", "configs", "tests", "bundle") for path in (ROOT / folder).rglob("*.*")]
    texts = {path: path.read_text("utf-8") for path in files if path.suffix in (".py", ".yaml", ".sh", ".md", ".jinja")}
    named = {(path, name) for path, text in texts.items() for name in NAMED.findall(text)}
    assert len(named) > 5
    assert [(path.name, name) for path, name in sorted(named) if not (ROOT / name).is_file()] == []


def test_the_page_of_formats_is_what_the_code_says():
    written = PAGE.read_text(encoding="utf-8")
    assert written == document(), "run python -m scripts.studies.formats"
    for part in ("| NIfTI | `.nii` `.nii.gz` |", "- the file is truncated: it ends before its data do.", "named pipe",
                 "- it is an Analyze 7.5 file", "more than max_memory", "| a skull-stripped head |"):  # fmt: skip
        assert part in written


def test_refusals_are_found_in_the_code(tmp_path):
    (tmp_path / "a.py").write_text(
        "class A:\n    def __init__(self):\n        raise ValueError('an option')\n"
        "def f(x):\n    if x:\n        raise ValueError(f'it has {x:.2g} | <')\n    raise KeyError('inner')\n"
    )
    assert list(refusals(tmp_path / "a.py")) == ["it has … \\| &lt;"]
