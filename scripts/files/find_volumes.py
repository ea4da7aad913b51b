# SPDX-License-Identifier: Apache-2.0
"""The volumes of a folder, and the names of their results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from itertools import groupby
from pathlib import Path, PurePath

from .bids import described_name
from .dicom import find_series, goes_on_in, is_dicom
from .errors import failure_reason
from .folder_walk import walk_folder
from .formats import READ_ENDINGS, format_of, is_data_of, refusal, stem
from .hashes import content_hash, files_state

__all__ = ["VOLUME_PATTERNS", "FoundVolumes", "find_volumes", "source_state"]

VOLUME_PATTERNS = ("*",)
DICOM_NAMES = ("*.dcm", "*.dicom", "*.ima")


class FoundVolumes(list[dict[str, str]]):
    """Items, and what was passed over.

    Attributes:
        without_images: number of DICOM files that hold no images (directories, reports).
        others: number of files of a matching name that are no images, by their endings.
    """

    def __init__(self) -> None:
        super().__init__()
        self.without_images = 0
        self.others: Counter[str] = Counter()


def find_volumes(
    dataset_dir: str | Path,
    output_dir: str | Path,
    patterns: Sequence[str] = VOLUME_PATTERNS,
    description: str = "restored",
) -> FoundVolumes:
    """List the volume files and DICOM series under a folder, and name the result of each.

    Hidden files and ``output_dir`` itself are left out. An image of a format that is not read, a folder that cannot be
    read, a link that leads to nothing, a named pipe, and a file that claims to be DICOM and is not, are listed with an
    ``error``, so that they are reported with the others.

    Args:
        dataset_dir: folder to search, with its subfolders.
        output_dir: folder of the results, different from ``dataset_dir``.
        patterns: names of volume files, case ignored; DICOM files are recognised by their content.
        description: word that the name of a result has more than that of its input.

    Returns:
        Items sorted by ``name`` (path relative to ``dataset_dir``), each with ``image`` (path), ``series`` (identifier
        of a DICOM series, else ""), ``output`` (path relative to ``output_dir``) and ``error`` (else "").

    Raises:
        FileNotFoundError: the folder does not exist, or nothing in it matches.
        NotADirectoryError: it is a file.
        ValueError: the results would be written between the inputs.
    """
    root, results = Path(dataset_dir), Path(output_dir)
    if not root.exists():
        raise FileNotFoundError(f"dataset_dir '{dataset_dir}' does not exist: give a folder of volumes.")
    if not root.is_dir():
        raise NotADirectoryError(f"dataset_dir '{dataset_dir}' is a file: give the folder that holds it.")
    if root.resolve() == results.resolve():
        raise ValueError(f"output_dir '{output_dir}' is dataset_dir: give another folder for the results.")
    there = walk_folder(root, results)
    items = FoundVolumes()
    by_folder = sorted(there.files, key=lambda file: (file.parent, file))
    for _, files in groupby(by_folder, key=lambda file: file.parent):
        _list_folder(items, root, [root / file for file in files], patterns, description)
    for entry, reason in there.unreadable.items():
        if _named_as((*patterns, *DICOM_NAMES), entry) or not entry.suffix or (root / entry).is_dir():
            items.append(_item(root, root / entry, entry, error=reason))
    if not items:
        raise FileNotFoundError(
            f"dataset_dir '{dataset_dir}' has no volume: no file called {', '.join(patterns)} ends in one of "
            f"{', '.join(READ_ENDINGS)}, and no file is a DICOM image."
        )
    _name_split_series(items, root)
    items.sort(key=lambda item: item["name"])
    return items


def _name_split_series(items: Sequence[dict[str, str]], root: Path) -> None:
    """Refuse volumes of which other folders have the rest."""
    places: dict[str, list[Path]] = {}
    for item in items:
        if item["series"]:
            places.setdefault(item["series"], []).append(Path(item["image"]))
    for item in items:
        folder = Path(item["image"])
        others = [other for other in places.get(item["series"], []) if other != folder]
        rest = next((other for other in others if goes_on_in(folder, other, item["series"])), None)
        if rest:
            item["error"] = (
                f"slices of its series lie in the folder {rest.relative_to(root).as_posix()!r}, too: put the files of "
                "a series into one folder."
            )


def _list_folder(
    items: FoundVolumes, root: Path, files: Sequence[Path], patterns: Sequence[str], description: str
) -> None:
    """Add what the files of one folder are."""
    names = {file.name.lower() for file in files}
    series: list[Path] = []
    for file in files:
        kind = format_of(file.name) if _named_as(patterns, file) else None
        if kind and kind.reader:
            items.append(_file_item(root, file, description))
        elif is_dicom(file):
            series.append(file)
        elif kind and not is_data_of(file, names):
            items.append(_item(root, file, file.relative_to(root), error=refusal(kind)))
        elif _named_as(patterns, file) and not is_data_of(file, names):
            items.others[file.suffix.lower() or "without an ending"] += 1
    if series:
        found, without_images = _series_items(root, files[0].parent, set(series), description)
        items += found
        items.without_images += without_images


def _named_as(patterns: Sequence[str], file: PurePath) -> bool:
    return any(fnmatch(file.name.lower(), pattern.lower()) for pattern in patterns)


def _item(root: Path, image: Path, output: PurePath, series: str = "", error: str = "") -> dict[str, str]:
    name = image.relative_to(root).as_posix()
    return {
        "name": root.resolve().name if name == "." else name,  # series that lie in dataset_dir itself
        "image": str(image),
        "series": series,
        "output": output.as_posix(),
        "error": error,
    }


def _file_item(root: Path, file: Path, description: str) -> dict[str, str]:
    """A file keeps its folder; its ending becomes ``.nii.gz``."""
    return _item(root, file, file.relative_to(root).with_name(described_name(stem(file.name), description) + ".nii.gz"))


def _series_items(root: Path, folder: Path, files: set[Path], description: str) -> tuple[list[dict[str, str]], int]:
    """The volumes of the DICOM series of a folder, and the number of its DICOM files without images.

    A result lies beside the folder and carries its name.
    """
    place = folder.relative_to(root)
    base = place if place.name else Path(root.resolve().name)
    try:
        found = find_series(folder)
    except Exception as error:  # whatever its files make of the readers: it concerns this folder alone
        return [_item(root, folder, place, error=failure_reason(error))], 0
    items = [
        _item(root, file, file.relative_to(root), error="the file is not readable as DICOM.")
        for file in found.unreadable
        if file in files
    ]
    for volume in found.volumes:
        output = base.with_name(described_name(base.name + volume.suffix, description) + ".nii.gz")
        item = _item(root, folder, output, volume.series, volume.error)
        items.append({**item, "name": item["name"] + (f" ({volume.label})" if volume.label else "")})
    return items, found.without_images


def source_state(item: Mapping[str, str]) -> str:
    """What changes with the files that a result is made of; "" where one cannot be looked at."""
    states = [files_state(Path(item[key])) for key in ("image", "mask") if key in item]
    return "" if "" in states else content_hash(states) if len(states) > 1 else states[0]
