# SPDX-License-Identifier: Apache-2.0
"""Who is on an image: told by its name or by a folder, or hinted at, which is worth a warning.

A name of a known layout tells the subject (:mod:`scripts.data.file_names`). For other names, from the first that holds:

1. A file whose name begins with that of a folder (``anna/anna_T1.nii``) is of that folder.
2. A file without a name of its own (``anna/ses-1/t1.nii``) is of the innermost folder that is no session, no contrast
   and not called ``anat``, ``train``, ``site1`` or the like.
3. Where names repeat in several folders (``A/x.nii``, ``B/x.nii``), the folders are persons if there are at least as
   many of them as names; else each name is a person, wherever it lies. Where each of several numbered folders holds a
   few names (``P07/a.nii``, ``P07/b.nii``), the folders are persons.
4. The name is the subject.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePath

from ..files.formats import stem
from .contrasts import GENERIC, T1, other_contrast, without_words
from .file_names import SESSION
from .pairing import NamedFile
from .table_subjects import plain_name

__all__ = ["name_subjects"]

NO_PERSON = re.compile(
    r"nii|nifti|dicom|data(?:set)?|sub(?:ject)?s|patients|controls?|healthy|train(?:ing)?|val(?:idation)?|test(?:ing)?"
    r"|images?(?:tr|ts|val)?|output|results?|input|(?:19|20)\d\d|bl|[mv]\d\d?\d?"
    r"|(?:site|cent(?:er|re)|group|batch|fold|split|cohort|scanner|part|wave|release|disc)[-_ ]?\w{0,3}|pre|post",
    re.IGNORECASE,
)
"""Folders that are no persons, beside sessions, contrasts and generic words."""
FEW_SCANS = 4
"""Most images of a person on average: folders that hold more are no persons."""
MOST_SCANS = 10
"""Most images of a person whose name has a number of its own."""
HINT = re.compile(r"(?:[-_. ]?\d{1,8}|(?:[-_. ]|(?<=\d))[a-d]|[-_. ](?:[vmyt]\d+|pre|post|bl|fu\d*))$", re.IGNORECASE)
"""Ends of a name by which the scans of one person may differ."""
EXAMPLE = "[^/]+"
REMEDY = f"If that is wrong, say who is who with --subject_pattern, for example '(?P<subject>{EXAMPLE})/[^/]+$'."
SHOWN = 3
"""Number of examples in a warning."""


def name_subjects(images: Sequence[NamedFile], pattern: str | None = None) -> tuple[list[str], list[str]]:
    """The subject of each image.

    Args:
        images: the images, by their paths below the folder of the cohort.
        pattern: regular expression whose group ``subject``, or first group, is the subject.

    Returns:
        The subjects in the order of the images, and warnings where names or folders leave a doubt.

    Raises:
        ValueError: ``pattern`` is no regular expression, or an image does not match it.
    """
    if pattern is not None:
        return [_by_pattern(image.path.as_posix(), pattern) for image in images], []
    plain = [image for image in images if image.name.layout == "name"]
    told, warnings = _plain_subjects(plain)
    subjects = [told.get(image.path, image.name.subject) for image in images]
    sure = {image.name.subject for image in images if image.name.layout not in ("name", "BIDS")}
    return subjects, warnings + _hints({subject for subject in subjects if subject not in sure})


def _by_pattern(path: str, pattern: str) -> str:
    try:
        match = re.search(pattern, path)
    except re.error as error:
        raise ValueError(
            f"subject_pattern {pattern!r} is no regular expression ({error}). Example: '(?P<subject>P\\d+)'."
        ) from error
    subject = match and (match.groupdict().get("subject") or next(iter(match.groups()), None))
    if not subject:
        raise ValueError(
            f"subject_pattern {pattern!r} must find a group in the path of every image, but finds none in {path}. "
            "Example: '(?P<subject>P\\d+)'."
        )
    return subject


def _plain_subjects(images: Sequence[NamedFile]) -> tuple[dict[PurePath, str], list[str]]:
    """Subjects of images whose names are of no known layout."""
    folders = {image.path: _person_folders(image.path) for image in images}
    named = {image.path: image.name.subject for image in images if image.name.subject}
    told = _owners(named, folders)
    rest = {path: name for path, name in named.items() if path not in told}
    by_names, warnings = _folders_or_names(rest, {path: folders[path][0] for path in rest if folders[path]})
    by_place, unnamed = _innermost({image.path: folders[image.path] for image in images if not image.name.subject})
    told |= by_names | by_place
    warnings += unnamed
    has_session = any(re.search("[a-z]", image.name.session or "") for image in images if image.name.subject)
    if len(images) > 1 and len(set(told.values())) == 1 and not has_session:
        one = next(iter(told.values()))
        told = {path: stem(path.name) for path in told}  # what looks like dates or scans tells the persons apart
        warnings.append(f"all images seem to be of {one}, but each is taken for another person. {REMEDY}")
    return told, warnings + _repeated(told)


def _repeated(told: Mapping[PurePath, str]) -> list[str]:
    """A warning about subjects that are in several folders, sessions and contrasts apart."""
    places: dict[str, set[tuple[str, ...]]] = {}
    for path, subject in told.items():
        above = [part for part in path.parts[:-1] if SESSION.sub("", part).strip("-_.") and not T1.fullmatch(part)]
        end = next((place for place, part in enumerate(above) if part == subject), len(above))
        places.setdefault(subject, set()).add(tuple(above[:end]))
    names = [subject for subject, where in places.items() if len(where) > 1]
    remedy = REMEDY.replace(f"{EXAMPLE})/[^/]+$", "[^/]+/[^/.]+)")
    return [f"{_listed(names)}: images in different folders are taken for the same person. {remedy}"] if names else []


def _person_folders(path: PurePath) -> tuple[str, ...]:
    """The folders of a file that may be persons, the innermost first, without sessions in their names."""
    found = []
    for part in path.parts[-2::-1]:
        name = SESSION.sub("", part).strip("-_.")
        other = (
            NO_PERSON.fullmatch(name) or T1.fullmatch(name) or (other_contrast(name) and not re.search(r"\d{2}", name))
        )
        if not other and without_words(name, GENERIC):
            found.append(name)
    return tuple(found)


def _owners(names: Mapping[PurePath, str], folders: Mapping[PurePath, Sequence[str]]) -> dict[PurePath, str]:
    """The folder with whose name that of a file begins; of a folder with the name of a data set it is no person."""
    owners: dict[PurePath, str] = {}
    for path, name in names.items():
        for folder in folders[path]:
            begins = name.lower().startswith(folder.lower()) and not name[len(folder) : len(folder) + 1].isalnum()
            if begins:
                owners.setdefault(path, folder)
    persons = set(owners.values())
    return owners if len(persons) > 1 and len(owners) <= FEW_SCANS * len(persons) else {}


def _folders_or_names(
    names: Mapping[PurePath, str], places: Mapping[PurePath, str]
) -> tuple[dict[PurePath, str], list[str]]:
    """Whether the folders are persons or the names, by rule 3, and a warning where it may be otherwise."""
    places_of: dict[str, set[str]] = {}
    names_in: dict[str, set[str]] = {}
    for path, place in places.items():
        places_of.setdefault(names[path], set()).add(place)
        names_in.setdefault(place, set()).add(names[path])
    by_folder = {**names, **places}
    repeated = any(len(where) > 1 for where in places_of.values())
    crowded = [place for place, inside in names_in.items() if len(inside) > 1]
    if repeated:
        return by_folder if len(names_in) >= len(places_of) else dict(names), []
    if not crowded or len(names_in) < 2 or len(places) > FEW_SCANS * len(names_in):
        return dict(names), []
    if all(re.search(r"\d", place) for place in names_in):
        return by_folder, []
    doubt = f"{_listed(crowded)}: the images in each of these folders are taken for several persons. {REMEDY}"
    return dict(names), [doubt]


def _innermost(folders: Mapping[PurePath, Sequence[str]]) -> tuple[dict[PurePath, str], list[str]]:
    """The folder that is the person on each image without a name of its own, and a warning where there is none."""
    pairs = {path: (*parts[:2], "", "")[:2] for path, parts in folders.items()}
    inner, outer = ({pair[place] for pair in pairs.values()} for place in (0, 1))
    repeated = len(set(pairs.values())) > len(inner)
    chosen = 1 if repeated and "" not in outer and len(outer) >= len(inner) else 0  # A/x/t1, B/x/t1: A and B
    together = {place for place, count in Counter(path.parent for path in folders).items() if count > 1}
    result: dict[PurePath, str] = {}
    for path, pair in pairs.items():
        alone = path.parent.name if path.parent not in together else ""
        result[path] = pair[chosen] or alone or stem(path.name)
    doubtful = [path.name for path, pair in pairs.items() if not pair[chosen] and path.parent in together]
    doubt = f"{_listed(doubtful)}: these names say no person, so each is taken for another one. {REMEDY}"
    return result, [doubt] if doubtful else []


def _hints(subjects: Collection[str]) -> list[str]:
    """Warnings about subjects whose names differ as those of the scans of one person may."""
    alike: dict[str, list[str]] = {}
    groups: dict[str, list[str]] = {}
    for subject in sorted(subjects):
        alike.setdefault(plain_name(subject), []).append(subject)
        groups.setdefault(HINT.sub("", subject) or subject, []).append(subject)
    found = [members for members in alike.values() if len(members) > 1]
    for key, members in groups.items():
        few = len(groups) > 1 and len(members) <= (MOST_SCANS if re.search(r"\d", key) else FEW_SCANS)
        if len(members) > 1 and (few or key in members) and members not in found:
            found.append(members)
    if not found:
        return []
    key = re.sub(r"[A-Za-z]+", "[A-Za-z]+", HINT.sub("", found[0][-1]))
    example = re.sub(r"\d+", r"\\d+", key)
    listed = "; ".join(_listed(members) for members in found[:SHOWN]) + _more(found)
    remedy = REMEDY.replace(f"{EXAMPLE})/[^/]+$", f"{example})")
    return [f"{listed}: names that differ so little are taken for several persons. {remedy}"]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + _more(names)


def _more(names: Sequence[object]) -> str:
    return f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
