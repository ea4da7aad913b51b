# SPDX-License-Identifier: Apache-2.0
"""What the path of a file tells: the person, the session, and whether it is a T1-weighted image, a label or a mask.

========  =====================================================================  ================
layout    name                                                                   subject
========  =====================================================================  ================
BIDS      ``sub-01_ses-2_T1w``, or any name in a folder ``sub-01``               ``sub-01``
IXI       ``IXI012-HH-1211-T1``                                                  ``IXI012``
BraTS     ``BraTS20_Training_001_t1``, ``BraTS-GLI-00001-000-t1n``, ...          without session
ADNI      ``002_S_0295`` in a name or folder                                     ``002_S_0295``
LONI      ``PPMI_3102_MR_MPRAGE_br_raw_20110101..._S1_I2``                       ``3102``
OASIS     ``OAS1_0001_MR1``, ``OAS30001_MR_d0129`` in a name or folder           ``OAS1_0001``
any       the name without contrast, session and words such as ``brain``         the rest
========  =====================================================================  ================
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from ..files.bids import bids_entities
from ..files.formats import stem
from .contrasts import (
    GENERIC,
    LABEL_NAME,
    LESION,
    MASK_NAME,
    T1,
    other_contrast,
    without_generic_end,
    without_words,
)

__all__ = ["FileName", "Kind", "read_name", "subject_name"]

LABEL_FOLDERS = {"labels", "label", "labelstr", "labelsts", "segmentations"}
MASK_FOLDERS = {"masks", "mask", "brainmasks", "brain_masks"}

Kind = Literal["image", "label", "mask", "other", "region", "odd"]

LAYOUTS = {
    "BIDS": re.compile(r"^(?P<subject>sub-[A-Za-z0-9]+)(?:_(?P<session>sess?-[A-Za-z0-9]+))?(?=_|$)"),
    "IXI": re.compile(r"^(?P<subject>IXI\d{3})-(?P<site>[A-Za-z]+)-(?P<session>\d+)(?=[-_.]|$)"),
    "BraTS": re.compile(
        r"^(?P<subject>brats(?:1[789]_[a-z0-9]+_[a-z0-9]+|20_(?:training|validation)_\d+|2021_(?:validation_)?\d+"
        r"|_[a-z0-9]+_pat\d+|(?:-[a-z]+){1,2}-\d+|_\d+)|fets\d+(?:_training|_validation)?_\d+)"
        r"(?:[-_](?P<session>\d+))?(?=[-_.]|$)",
        re.IGNORECASE,
    ),
    "ADNI": re.compile(r"(?<!\d)(?P<subject>\d{3}_S_\d{4,5})(?:_(?P<session>bl|sc|m\d{2,3}))?(?![A-Za-z0-9])"),
    "OASIS": re.compile(
        r"(?<![A-Za-z0-9])(?P<subject>OAS[12]_\d{4}|OAS[34]\d{4})(?:_(?P<session>MR\d+|[A-Za-z0-9]+_d\d{4}))?"
        r"(?![A-Za-z0-9])"
    ),
}
LONI = re.compile(
    r"^[A-Za-z0-9]+_(?P<subject>\w+?)_(?P<modality>MR|PT|CT|NM)_(?P<description>.+?)_+(?:br_raw|raw|br)_"
    r"(?P<session>\d{8})\d*_.*I\d+$",
    re.IGNORECASE,
)
"""Names of files from the archive of LONI: project, subject, modality, description, date, series and image."""
SESSION = re.compile(
    r"(?:^|[-_])(?P<session>(?:sess?|session|visit|scan|run|timepoint|tp)[-_]?\d+|baseline|follow[-_]?up[-_]?\d*|retest"
    r"|(?:19|20)\d\d[-_.]?(?:0[1-9]|1[0-2])[-_.]?(?:0[1-9]|[12]\d|3[01]))(?=[-_.]|$)",
    re.IGNORECASE,
)


OTHER_SUFFIX = re.compile(
    r"\w+map|T2(?:starw?|w)|inplaneT[12]|T1rho|FLAIR|FLASH|IRT1|MEGRE|MESE|MP2RAGE|MPM|MTR|MTS|PDT2|PDw?|SWI|TB1\w+|UNIT1"
    r"|VFA|angio|asl|bold|cbv|defacemask|dwi|epi|m0scan|magnitude\d?|pet|phase(?:\d|diff)?|probseg|sbref|swi|xfm"
)
"""BIDS suffixes of images that are neither T1-weighted nor masks nor labels."""


@dataclass(frozen=True)
class FileName:
    """What the path of a file tells."""

    kind: Kind
    """``other``: an image of another kind; ``region``: a mask or labels of something else than the brain; ``odd``: a
    contradiction."""
    subject: str
    """Empty if the name alone does not tell."""
    key: str
    """Its name without the words for T1: the names of its labels and masks begin with it."""
    bids: str = ""
    """The entities that a BIDS image has in common with its labels and masks; empty for another name."""
    layout: str = "name"
    session: str | None = None
    site: str | None = None
    what: str = ""
    """What it is, if it is no image."""


def read_name(path: PurePath) -> FileName:
    """Read the name of a file, and those of its folders.

    Args:
        path: path below the folder of the cohort.

    Example:
        >>> read_name(PurePath("BraTS-GLI-00001-000/BraTS-GLI-00001-000-t1n.nii.gz")).subject
        'BraTS-GLI-00001'
        >>> read_name(PurePath("sub-01/anat/sub-01_label-L_desc-T1lesion_mask.nii.gz")).what
        'a mask of L T1lesion, not of the brain'
    """
    name, folders = stem(path.name), path.parts[-2::-1]
    loni = LONI.match(name)
    if loni:
        kind, what = _loni_kind(loni["modality"], loni["description"])
        return FileName(kind, loni["subject"], name, layout="LONI", session=loni["session"], what=what)
    entities = bids_entities(name)
    layout, match = _layout((name, *folders))
    kind, what = (entities and _bids_kind(entities)) or _kind(name, folders, layout)
    key = without_words(name, T1)
    if match is None:
        visit = SESSION.search(key)
        session = visit["session"] if visit else _session_folder(folders)
        rest = SESSION.sub("", key).strip("-_.")
        subject = without_generic_end(rest) if without_words(rest, GENERIC) else ""
        return FileName(kind, subject, key, session=session, what=what)
    facts = match.groupdict()
    elsewhere = next((found for part in folders if (found := LAYOUTS[layout].search(part))), match)
    if elsewhere["subject"].lower() != facts["subject"].lower() and kind == "image":
        kind, what = "odd", f"its name says {facts['subject']}, its folder {elsewhere['subject']}"
    own = f"ses-{entities['ses']}" if entities and "ses" in entities else facts["session"]
    session = own or elsewhere["session"] or _session_folder(folders)
    bids = _scan_entities(entities) if entities else ""
    return FileName(kind, facts["subject"], key, bids, layout, session, facts.get("site"), what)


def subject_name(name: str) -> str:
    """The subject that a row of a table is of, where it names a scan in a known layout; else the name as it is.

    Example:
        >>> subject_name("IXI012-HH-1211"), subject_name("OAS1_0001_MR1"), subject_name("anna_1")
        ('IXI012', 'OAS1_0001', 'anna_1')
    """
    _, match = _layout((name,))
    return match["subject"] if match else name


def _layout(parts: Sequence[str]) -> tuple[str, re.Match[str] | None]:
    """The first layout that the name, or else a folder, is of."""
    for part in parts:
        for layout, pattern in LAYOUTS.items():
            match = pattern.search(part)
            if match:
                return layout, match
    return "name", None


def _session_folder(folders: Sequence[str]) -> str | None:
    return next((part for part in folders if SESSION.fullmatch(part) or re.fullmatch(r"ses-[A-Za-z0-9]+", part)), None)


def _kind(name: str, folders: Sequence[str], layout: str) -> tuple[Kind, str]:
    """What a file is by its words; those of the folders count where its own say nothing."""
    around = {folder.lower() for folder in folders}
    is_mask = bool(MASK_NAME.search(name) or around & MASK_FOLDERS)
    is_label = not is_mask and bool(LABEL_NAME.search(name) or around & LABEL_FOLDERS)
    contrast = other_contrast(name)
    if layout == "BraTS":
        rest = LAYOUTS[layout].sub("", name)
        if is_mask or is_label or (rest and not contrast and not T1.search(rest)):
            return "region", "a segmentation of a tumour"
    lesions = [match.end() for match in LESION.finditer(name)]
    if lesions and (is_mask or is_label or lesions[-1] == len(name)):
        return "region", "a mask of a lesion"
    if is_mask or is_label:
        return ("mask" if is_mask else "label"), ""
    if layout == "IXI" and name.endswith("-PD"):
        contrast = "proton density"
    if contrast is None and not T1.search(name):
        contrast = next((found for part in folders if (found := _folder_contrast(part)) is not None), None)
    return ("other", f"{contrast}, not T1-weighted") if contrast else ("image", "")


def _folder_contrast(folder: str) -> str | None:
    """The contrast of which a folder has the name; "" for T1, ``None`` for a folder of another name."""
    if T1.fullmatch(folder):
        return ""
    contrast = other_contrast(folder)
    return contrast if contrast and not re.search(r"\d{3}", folder) and len(folder) <= 12 else None


def _bids_kind(entities: dict[str, str]) -> tuple[Kind, str] | None:
    """What a BIDS file is by its suffix, if that is one of BIDS; of masks only those of the brain count."""
    suffix = entities["suffix"]
    about = " ".join(entities[key] for key in ("label", "desc") if key in entities)
    part = entities.get("part", "mag")
    body_part = entities.get("loc") or entities.get("bp") or "head"
    if suffix == "T1w":
        others = {
            "T1-weighted with a contrast agent, not T1-weighted": "ce" in entities,
            f"the {part} of the signal, not its magnitude": part != "mag",
            f"of another part of the body ({body_part})": body_part.lower() not in ("head", "brain"),
        }
        return next((("other", what) for what, holds in others.items() if holds), ("image", ""))
    if suffix in ("mask", "roi"):
        brain = suffix == "mask" and (not about or "brain" in about.lower())
        return ("mask", "") if brain else ("region", f"a mask of {about or 'a region'}, not of the brain")
    if suffix == "dseg":
        return ("region", "a mask of a lesion") if "lesion" in about.lower() else ("label", "")
    return ("other", f"{suffix}, not T1-weighted") if OTHER_SUFFIX.fullmatch(suffix) else None


def _scan_entities(entities: dict[str, str]) -> str:
    """What a BIDS image has in common with its masks and labels: all but what describes the derivative."""
    own_space = entities.get("space", "T1w") in ("T1w", "orig", "individual", "native")
    skipped = {"desc", "label", "suffix", "seg", "atlas"} | ({"space", "res"} if own_space else set())
    return "_".join(f"{key}-{value}" for key, value in sorted(entities.items()) if key not in skipped)


def _loni_kind(modality: str, description: str) -> tuple[Kind, str]:
    contrast = other_contrast(description)
    if description.lower().endswith("mask"):
        return "region", "a mask, of unknown kind"
    if modality.upper() == "MR" and T1.search(description) and not contrast:
        return "image", ""
    shown = description.replace("_", " ").strip()
    return "other", f"{contrast or f'{modality} {shown!r}'}, not T1-weighted"
