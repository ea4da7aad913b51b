# SPDX-License-Identifier: Apache-2.0
"""The images of a cohort folder, with their subjects and the label and mask files that belong to them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

__all__ = ["SUFFIXES", "ImageFile", "find_images", "stem", "subject_name"]

SUFFIXES = (".nii", ".nii.gz", ".mha", ".nrrd")
BIDS_PATTERNS = ("sub-*/anat/*_T1w.nii*", "sub-*/ses-*/anat/*_T1w.nii*")
IXI_NAME = re.compile(r"(?P<subject>IXI\d{3})-(?P<site>[A-Za-z]+)-(?P<session>\d+)(?=[-_.]|$)")
BIDS_NAME = re.compile(r"(?P<subject>sub-[A-Za-z0-9]+)(?:_(?P<session>ses-[A-Za-z0-9]+))?(?=_|$)")
MODALITY = re.compile(r"[-_]T1w?$", re.IGNORECASE)
SESSION = re.compile(r"[-_](?P<session>(?:ses|session|visit|scan|run|timepoint|tp)[-_]?\d+)(?=[-_]|$)", re.IGNORECASE)
LABEL_NAME = re.compile(r"[-_](?:labels?|seg|dseg|aseg|parc|DLMUSE)$", re.IGNORECASE)
MASK_NAME = re.compile(r"(?:[-_]brain)?[-_]?(?:brainmask|mask)$", re.IGNORECASE)
LABEL_FOLDERS = {"labels", "label"}
MASK_FOLDERS = {"masks", "mask"}


@dataclass(frozen=True)
class ImageFile:
    """An image of a subject, with its label and mask files."""

    path: Path
    subject: str
    """Subject of the image: all images of a subject go to the same part."""
    session: str | None = None
    site: str | None = None
    label: Path | None = None
    """Region labels on the image's grid, 0 outside the brain."""
    mask: Path | None = None
    """Brain mask on the image's grid."""


def find_images(
    folder: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    masks: str | os.PathLike[str] | None = None,
    subject_pattern: str | None = None,
    leave_out: Path | None = None,
) -> list[ImageFile]:
    """Find the images of a folder in any of three layouts.

    - BIDS, where the folder has ``sub-*`` folders: ``sub-*/[ses-*/]anat/*_T1w.nii[.gz]``, site by ``site`` of
      ``participants.tsv`` (see :mod:`scripts.data.demographics`);
    - IXI names, at any depth: ``IXI012-HH-1211-T1.nii.gz`` is subject ``IXI012``, site ``HH``, session ``1211``;
    - else every ``.nii``, ``.nii.gz``, ``.mha`` and ``.nrrd`` file at any depth. The subject is the file name without
      ``_T1``/``_T1w`` and without a session (``_ses-1``, ``_visit2``, ``_scan1``, ``_run-1``, ``_tp1``); where that
      name occurs in several folders (``A/t1.nii``, ``B/t1.nii``), it is the first folder.

    Files in folders ``labels``, ``masks`` or ``derivatives``, and files whose name ends in ``_seg``, ``_dseg``,
    ``_labels``, ``_DLMUSE``, ``_mask`` and the like are no images; they are paired with the image whose name (without
    ``_T1``) theirs begins with.

    Args:
        folder: folder of the images.
        labels: folder of the label files, if they are elsewhere.
        masks: folder of the brain masks, if they are elsewhere.
        subject_pattern: regular expression to search in the path below ``folder``, for layouts with other names; its
            group ``subject`` (or first group) is the subject.
        leave_out: folder that is not searched, such as that of the results if it lies in ``folder``.

    Returns:
        The images, sorted by subject and path.

    Raises:
        FileNotFoundError: a folder does not exist, or nothing in it matches (the message names the pattern).
        ValueError: ``subject_pattern`` is not valid or does not match an image.
    """
    root = _existing(folder, "image")
    results = leave_out if leave_out is not None and root in leave_out.parents else None
    files = [path for path in _walk(root) if results is None or results not in path.parents]
    bids = any(child.is_dir() for child in root.glob("sub-*"))
    if bids:
        images = sorted({path for pattern in BIDS_PATTERNS for path in root.glob(pattern)} & set(files))
        looked_for = "sub-*/[ses-*/]anat/*_T1w.nii[.gz] (BIDS, because there are sub-* folders)"
    else:
        images = [path for path in files if _kind(path, root) == "image"]
        looked_for = "*" + ", *".join(SUFFIXES) + " at any depth (label and mask files are no images)"
    if not images:
        raise FileNotFoundError(f"no image in {root}: looked for {looked_for}. Give the folder that holds the images.")
    found = [_identify(path, root, subject_pattern) for path in images]
    if not bids and subject_pattern is None:
        found = _subjects_from_folders(found, root)
    extra = {
        "label": [path for path in files if _kind(path, root) == "label"],
        "mask": [path for path in files if _kind(path, root) == "mask"],
    }
    for kind, elsewhere in (("label", labels), ("mask", masks)):
        if elsewhere is not None:
            extra[kind] = _walk(_existing(elsewhere, kind))
    paired = {kind: _pair(found, candidates) for kind, candidates in extra.items()}
    for kind, elsewhere in (("label", labels), ("mask", masks)):
        if elsewhere is not None and not paired[kind]:
            raise FileNotFoundError(
                f"no {kind} file in {elsewhere} belongs to an image of {root}: looked for names that begin like an "
                f"image's, for example {_key(found[0].path)}*.nii.gz."
            )
    complete = [
        replace(image, label=paired["label"].get(image.path), mask=paired["mask"].get(image.path)) for image in found
    ]
    return sorted(complete, key=lambda image: (image.subject, str(image.path)))


def subject_name(name: str) -> str:
    """The subject that an image name or a row of a table is of, where the name is an IXI or BIDS one; else the name.

    Example:
        >>> subject_name("IXI012-HH-1211"), subject_name("sub-07_ses-1"), subject_name("anna")
        ('IXI012', 'sub-07', 'anna')
    """
    match = IXI_NAME.match(name) or BIDS_NAME.match(name)
    return match["subject"] if match else name


def stem(path: Path) -> str:
    """File name without its (possibly double) suffix."""
    name = path.name
    suffix = max((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), key=len, default="")
    return name[: len(name) - len(suffix)]


def _existing(folder: str | os.PathLike[str], kind: str) -> Path:
    path = Path(folder).absolute()
    if not path.is_dir():
        raise FileNotFoundError(f"the {kind} folder {path} does not exist. Give the folder that has them.")
    return path


def _walk(root: Path) -> list[Path]:
    """All files with an image suffix below a folder, hidden ones left out, sorted."""
    return sorted(
        path
        for path in root.rglob("*")
        if path.name.lower().endswith(SUFFIXES)
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
        and path.is_file()
    )


def _kind(path: Path, root: Path) -> str:
    """``image``, ``label``, ``mask`` or ``derivative`` (neither), by folder and file name."""
    folders = {part.lower() for part in path.relative_to(root).parts[:-1]}
    name = stem(path)
    if folders & MASK_FOLDERS or MASK_NAME.search(name):
        return "mask"
    if folders & LABEL_FOLDERS or LABEL_NAME.search(name):
        return "label"
    return "derivative" if "derivatives" in folders else "image"


def _identify(path: Path, root: Path, subject_pattern: str | None) -> ImageFile:
    """Subject, session and site from the name of an image."""
    name = stem(path)
    if subject_pattern is not None:
        return ImageFile(path, _custom_subject(path.relative_to(root).as_posix(), subject_pattern))
    match = IXI_NAME.match(name) or BIDS_NAME.match(name)
    if match:
        groups = match.groupdict()
        return ImageFile(path, groups["subject"], groups.get("session"), groups.get("site"))
    name = MODALITY.sub("", name)
    session = SESSION.search(name)
    if session:
        return ImageFile(path, MODALITY.sub("", SESSION.sub("", name)) or name, session["session"])
    return ImageFile(path, name)


def _custom_subject(relative: str, pattern: str) -> str:
    try:
        match = re.search(pattern, relative)
    except re.error as error:
        raise ValueError(
            f"subject_pattern {pattern!r} is no regular expression ({error}). Example: '(?P<subject>P\\d+)'."
        ) from error
    subject = match and (match.groupdict().get("subject") or next(iter(match.groups()), None))
    if not subject:
        raise ValueError(
            f"subject_pattern {pattern!r} must find a group in the path of every image, but finds none in {relative}. "
            "Example: '(?P<subject>P\\d+)'."
        )
    return subject


def _subjects_from_folders(images: Sequence[ImageFile], root: Path) -> list[ImageFile]:
    """Where one name is in several folders, the first folder tells the subjects apart."""
    folders: dict[str, set[Path]] = {}
    for image in images:
        folders.setdefault(image.subject, set()).add(image.path.parent)
    known = re.compile(rf"{IXI_NAME.pattern}|sub-")
    result = []
    for image in images:
        parts = image.path.relative_to(root).parts
        ambiguous = len(folders[image.subject]) > 1 and not known.match(stem(image.path))
        result.append(replace(image, subject=parts[0]) if ambiguous and len(parts) > 1 else image)
    return result


def _key(path: Path) -> str:
    return MODALITY.sub("", stem(path))


def _pair(images: Sequence[ImageFile], candidates: Iterable[Path]) -> dict[Path, Path]:
    """For each image the first candidate whose name begins like the image's; in its own folder if names repeat."""
    by_key: dict[str, list[ImageFile]] = {}
    for image in images:
        by_key.setdefault(_key(image.path), []).append(image)
    paired: dict[Path, Path] = {}
    for candidate in candidates:
        owner = _image_of(candidate, by_key)
        if owner is not None:
            paired.setdefault(owner.path, candidate)
    return paired


def _image_of(candidate: Path, by_key: Mapping[str, Sequence[ImageFile]]) -> ImageFile | None:
    """The image with the longest key that the candidate's name begins with, as a whole word."""
    name = stem(candidate)
    for end in range(len(name), 0, -1):
        images = () if name[end : end + 1].isalnum() else by_key.get(name[:end], ())
        for image in images:
            if len(images) == 1 or candidate.parent == image.path.parent:
                return image
    return None
