# SPDX-License-Identifier: Apache-2.0
"""The images of a cohort folder, with their subjects and the label and mask files that belong to them."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from ..files.folder_walk import FolderWalk, walk_folder
from ..files.formats import READ_ENDINGS, format_of, is_data_of, refusal, stem
from .contrasts import GENERIC, T1, other_contrast, without_words
from .file_names import SESSION, FileName, read_name
from .pairing import NamedFile, pair
from .subjects import name_subjects

__all__ = ["ImageFile", "ImageFolder", "find_images"]

DICOM = (".dcm", ".dicom", ".ima")
BESIDE_BIDS = {"sourcedata", "code", "stimuli"}
"""Folders at the top of a BIDS tree whose images are no part of it."""
CHANNEL_FOLDERS = {"imagestr", "imagests"}
CHANNEL = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})")
"""Names of nnU-Net: the channel stands for the contrast that dataset.json names."""


@dataclass(frozen=True)
class ImageFile:
    """An image of a subject, with its label and mask files."""

    path: Path
    subject: str
    """Subject of the image: all images of a subject go to the same part."""
    session: str | None = None
    site: str | None = None
    labels: tuple[Path, ...] = ()
    """Files that may be region labels on the image's grid, 0 outside the brain."""
    masks: tuple[Path, ...] = ()
    """Files that may be a brain mask on the image's grid."""
    layout: str = "name"
    """What told the subject, see :mod:`scripts.data.file_names`."""


@dataclass(frozen=True)
class ImageFolder:
    """What a folder holds; paths below it for what is not used."""

    images: list[ImageFile]
    """Sorted by subject and path."""
    unreadable: dict[str, str]
    """Reason for which a file that seems to belong to the cohort cannot be read."""
    other_images: dict[str, str]
    """What images that are none of the cohort are: of other contrasts, derived, in a format that is not read."""
    not_used: dict[str, str]
    """What masks and labels that show no brain are."""
    warnings: list[str]


def find_images(
    folder: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    masks: str | os.PathLike[str] | None = None,
    subject_pattern: str | None = None,
    leave_out: Path | None = None,
) -> ImageFolder:
    """Find the T1-weighted images of a folder, whatever its layout.

    Every file of a format that is read (:mod:`scripts.files.formats`) counts, links included, unless its name or a
    folder says that it is something else (see :mod:`scripts.data.file_names`). Subjects are told by the names of BIDS,
    IXI, BraTS, ADNI and OASIS, else by the name of the file without contrast and session, or by a folder (see
    :mod:`scripts.data.subjects`). Labels and masks belong to the image whose name theirs begins with.

    Args:
        folder: folder of the images.
        labels: folder of the label files, if they are elsewhere.
        masks: folder of the brain masks, if they are elsewhere.
        subject_pattern: regular expression to search in the path below ``folder``, for layouts with other names; its
            group ``subject`` (or first group) is the subject.
        leave_out: folder that is not searched, such as that of the results if it lies in ``folder``.

    Raises:
        FileNotFoundError: a folder does not exist, or nothing in it is an image (the message says what was found).
        ValueError: ``subject_pattern`` is not valid or does not match an image.
    """
    root = _existing(folder, "image")
    walk = walk_folder(root, leave_out if leave_out is not None and root in leave_out.parents else None)
    files = _told_by_neighbours(_named(root, walk.files))
    images = [file for file in files if file.name.kind == "image"]
    unreadable = _missing(walk) | {
        file.path.as_posix(): f"{file.name.what}: rename the one that is wrong."
        for file in files
        if file.name.kind == "odd"
    }
    others, not_used = (
        {file.path.as_posix(): f"it is {file.name.what}." for file in files if file.name.kind == kind}
        for kind in ("other", "region")
    )
    others |= _in_other_formats(walk.files)
    if not images:
        raise FileNotFoundError(_nothing_found(root, [*unreadable.values(), *others.values()]))
    subjects, warnings = name_subjects(images, subject_pattern)
    label_files, missing_labels = _paired(root, images, files, "label", labels)
    mask_files, missing_masks = _paired(root, images, files, "mask", masks)
    found = [
        ImageFile(
            root / image.path,
            subject,
            image.name.session,
            image.name.site,
            label_files.get(image.path, ()),
            mask_files.get(image.path, ()),
            image.name.layout,
        )
        for image, subject in zip(images, subjects, strict=True)
    ]
    found.sort(key=lambda image: (image.subject, str(image.path)))
    return ImageFolder(found, unreadable | missing_labels | missing_masks, others, not_used, warnings)


def _existing(folder: str | os.PathLike[str], kind: str) -> Path:
    path = Path(folder).absolute()
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise FileNotFoundError(f"the {kind} folder {path} {what}. Give the folder that has them.")
    return path


def _is_image(path: PurePath) -> bool:
    return path.name.lower().endswith(READ_ENDINGS)


def _named(root: Path, paths: Iterable[PurePath]) -> list[NamedFile]:
    """Read the names of all image files; those in derivatives are labels and masks, or not used."""
    bids = any(root.glob("sub-*/"))
    channels: dict[PurePath, dict[int, str]] = {}
    files = []
    for path in filter(_is_image, paths):
        name = _name_of_channel(root, path, channels) or read_name(path)
        folders = [part.lower() for part in path.parts[:-1]]
        if name.kind == "image" and ("derivatives" in folders or (bids and folders and folders[0] in BESIDE_BIDS)):
            name = replace(name, kind="other", what="not raw: of a BIDS tree only the images of the subjects count")
        files.append(NamedFile(path, name))
    return files


def _name_of_channel(root: Path, path: PurePath, channels: dict[PurePath, dict[int, str]]) -> FileName | None:
    """What a file of nnU-Net is, whose channel stands for a contrast; ``None`` for any other file."""
    match = CHANNEL.fullmatch(stem(path.name))
    folder = path.parent.parent
    if match is None or path.parent.name.lower() not in CHANNEL_FOLDERS:
        return None
    if folder not in channels:
        channels[folder] = _channel_names(root / folder / "dataset.json")
    contrast = channels[folder].get(int(match["channel"]), "")
    if T1.search(contrast) or other_contrast(contrast):
        return read_name(path.with_name(f"{match['case']}_{contrast}.nii"))
    name = read_name(path.with_name(f"{match['case']}.nii"))
    if len(channels[folder]) == 1:
        return name
    return replace(name, kind="other", what="a channel of a contrast that no channel_names in dataset.json tell")


def _channel_names(file: Path) -> dict[int, str]:
    """The contrast of each channel, from the dataset.json of nnU-Net or of the decathlon; none of another file."""
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        names = content.get("channel_names") or content.get("modality")
        return {int(channel): re.sub(r"\W+", "", str(name)) for channel, name in names.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _told_by_neighbours(files: Sequence[NamedFile]) -> list[NamedFile]:
    """Among the files of a scan one is called T1: those that are not are something else (``p1_T1``, ``p1_FA``)."""
    images = [file for file in files if file.name.kind == "image" and _says_t1(file)]
    t1 = {(file.path.parent, file.name.key) for file in images if file.name.key or file.path.parent.name}
    result = []
    for file in files:
        name = stem(file.path.name)
        starts = [end for end in range(len(name)) if not name[end : end + 1].isalnum()]
        rests = [name[end:] for end in (0, *starts) if (file.path.parent, name[:end]) in t1]
        if (
            file.name.kind == "image"
            and rests
            and not _says_t1(file)
            and without_words(SESSION.sub("", rests[-1]), GENERIC)
        ):
            what = "of an unknown contrast: its name does not say T1, as that of another file of the scan does"
            file = NamedFile(file.path, replace(file.name, kind="other", what=what))
        result.append(file)
    return result


def _says_t1(file: NamedFile) -> bool:
    return bool(T1.search(stem(file.path.name)))


def _missing(walk: FolderWalk) -> dict[str, str]:
    """Images, labels and masks that are there by name only, and folders that cannot be opened."""
    return {
        path.as_posix(): reason
        for path, reason in walk.unreadable.items()
        if _is_image(path) or reason.startswith("the folder")
    }


def _in_other_formats(paths: Sequence[PurePath]) -> dict[str, str]:
    """Images that have to be converted; of a header and its data the header is named."""
    names: dict[PurePath, set[str]] = {}
    for path in paths:
        names.setdefault(path.parent, set()).add(path.name.lower())
    found = {}
    for path in paths:
        kind = format_of(path.name)
        if "derivatives" in path.parts or is_data_of(path, names[path.parent]):
            continue
        if kind and not kind.reader:
            found[path.as_posix()] = refusal(kind)
        elif path.name.lower().endswith(DICOM):
            found[path.as_posix()] = "it is of a format that is not read here: convert it to NIfTI, with dcm2niix."
    return found


def _nothing_found(root: Path, reasons: Iterable[str]) -> str:
    """The message for a folder without images, with what there is instead."""
    found = Counter(reasons).most_common(3)
    there = "; ".join(f"{count} x {reason.removesuffix('.')}" for reason, count in found)
    return (
        f"no image in {root}: looked for *{', *'.join(READ_ENDINGS)} at any depth, without labels, masks and other "
        f"contrasts than T1w. {f'Found: {there}. ' if there else ''}Give the folder that holds the T1-weighted images."
    )


def _paired(
    root: Path,
    images: Sequence[NamedFile],
    files: Sequence[NamedFile],
    kind: str,
    elsewhere: str | os.PathLike[str] | None,
) -> tuple[dict[PurePath, tuple[Path, ...]], dict[str, str]]:
    """The label or mask files of each image, and those that are missing in the folder given for them."""
    if elsewhere is None:
        pairs = pair(images, [file for file in files if file.name.kind == kind])
        return {image: tuple(root / path for path in paths) for image, paths in pairs.items()}, {}
    folder = _existing(elsewhere, kind)
    walk = walk_folder(folder)
    candidates = [NamedFile(path, read_name(path)) for path in walk.files if _is_image(path)]
    pairs = pair(images, [file for file in candidates if file.name.kind not in ("other", "region")])
    if not pairs:
        example = images[0].name.key or stem(images[0].path.name)
        raise FileNotFoundError(
            f"no {kind} file in {elsewhere} belongs to an image of {root}: looked for names that begin like an "
            f"image's, for example {example}*.nii.gz, and that say nothing of lesions."
        )
    missing = {str(folder / path): reason for path, reason in _missing(walk).items()}
    return {image: tuple(folder / path for path in paths) for image, paths in pairs.items()}, missing
