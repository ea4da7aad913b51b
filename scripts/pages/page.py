# SPDX-License-Identifier: Apache-2.0
"""Self-contained HTML pages: facts and titled sections with their tables and figures."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from ..files.atomic import replacing

__all__ = ["Section", "figure_png", "figure_source", "write_page", "write_sections"]

TEMPLATE = Path(__file__).with_name("page.html.jinja")


@dataclass
class Section:
    """A part of a page.

    Attributes:
        title: heading of the section.
        text: explanation, plain text.
        table: table below the text, if any.
        figures: figures below the table, by caption.
        links: other pages, by their texts.
        pages: addresses to which the first column of the table leads, one a row.
        judgement: line above the text, which stands out.
        color: of the judgement: "green", "amber" or "red".
    """

    title: str
    text: str
    table: pd.DataFrame | None = None
    figures: dict[str, Figure] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    judgement: str = ""
    color: str = ""
    pages: Sequence[str] = ()

    def table_html(self) -> str:
        """The table, "" without one."""
        if self.table is None:
            return ""
        texts = self.table.map(lambda value: escape(value) if isinstance(value, str) else value)
        if self.pages:
            cells = zip(self.pages, texts.iloc[:, 0], strict=True)
            texts[texts.columns[0]] = [f'<a href="{quote(page)}">{text}</a>' for page, text in cells]
        return str(texts.to_html(index=False, border=0, float_format="{:.4g}".format, escape=False, na_rep=""))


def write_page(template: Path, path: Path, **content: Any) -> None:
    """Render a template, and write the page by rename.

    Args:
        template: Jinja file.
        path: HTML file.
        **content: values of the template's variables.
    """
    loader = FileSystemLoader(template.parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    with replacing(path) as partial:
        partial.write_text(environment.get_template(template.name).render(content), encoding="utf-8")


def write_sections(
    title: str, note: str, facts: Sequence[str], sections: Sequence[Section], path: Path, warnings: Sequence[str] = ()
) -> None:
    """Write a page of titled sections, with their figures inside it.

    Args:
        title: heading of the page.
        note: line below the heading.
        facts: lines of the list at the top of the page.
        sections: sections of the page.
        path: HTML file.
        warnings: what must be read before all else.
    """
    shown = [
        {
            "title": section.title,
            "text": section.text,
            "table": section.table_html(),
            "figures": {caption: figure_source(figure) for caption, figure in section.figures.items()},
            "links": section.links,
            "judgement": section.judgement,
            "color": section.color,
        }
        for section in sections
    ]
    write_page(TEMPLATE, path, title=title, note=note, facts=facts, sections=shown, warnings=warnings)


def figure_source(figure: Figure, dpi: int = 110) -> str:
    """A figure as a ``data:`` address, so that the page needs no other file."""
    return "data:image/png;base64," + base64.b64encode(figure_png(figure, dpi)).decode()


def figure_png(figure: Figure, dpi: int = 100) -> bytes:
    """A figure as a PNG file, the same bytes for the same picture."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()
