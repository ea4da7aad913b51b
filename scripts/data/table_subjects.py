# SPDX-License-Identifier: Apache-2.0
"""Which subject of a cohort a row of a table is of, although people write names in several ways."""

from __future__ import annotations

import re
from collections.abc import Collection

from .file_names import subject_name

__all__ = ["TableSubjects", "plain_name"]


def plain_name(name: str) -> str:
    """A name without what people and spreadsheets change: ``sub-``, case and leading zeros.

    Example:
        >>> plain_name("sub-S007"), plain_name("0012")
        ('s7', '12')
    """
    return re.sub(r"(?<!\d)0+(?=\d)", "", name.casefold().removeprefix("sub-"))


class TableSubjects:
    """The subject that a name in a table means.

    Args:
        subjects: subjects of the cohort.
    """

    def __init__(self, subjects: Collection[str]) -> None:
        self.exact = set(subjects)
        self.plain: dict[str, str | None] = {}
        for subject in subjects:
            plain = plain_name(subject)
            self.plain[plain] = subject if plain not in self.plain else None
        self.unknown = ""
        self.respelled: dict[str, str] = {}

    def __call__(self, name: str) -> str | None:
        """The subject of that name: the same, that of the scan it names, or else the only one spelled alike."""
        for candidate in (name, subject_name(name)):
            if candidate in self.exact:
                return candidate
        subject = self.plain.get(plain_name(subject_name(name)))
        if subject is None:
            self.unknown = self.unknown or name
        else:
            self.respelled[name] = subject
        return subject

    def doubts(self, file: str) -> list[str]:
        """A sentence on the names that are spelled in another way than the subject's."""
        if not self.respelled:
            return []
        name, subject = min(self.respelled.items())
        return [
            f"{file}: {len(self.respelled)} names are spelled otherwise, for example {name} is taken for {subject}."
        ]
