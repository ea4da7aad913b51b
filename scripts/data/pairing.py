# SPDX-License-Identifier: Apache-2.0
"""Which label and mask files belong to which image, by their names."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import NamedTuple

from ..files.formats import stem
from .file_names import LABEL_FOLDERS, MASK_FOLDERS, FileName

__all__ = ["NamedFile", "pair"]

SIDE_FOLDERS = LABEL_FOLDERS | MASK_FOLDERS | {"images", "imagestr", "imagests", "t1", "t1w", "anat"}
"""Folders that part the files of a scan."""


class NamedFile(NamedTuple):
    """A file, by its path below the folder that was searched, and what its name tells."""

    path: PurePath
    name: FileName


def pair(images: Sequence[NamedFile], candidates: Iterable[NamedFile]) -> dict[PurePath, list[PurePath]]:
    """The candidates that belong to each image, in their order.

    A BIDS file belongs to the image with the same entities; another one to the image with whose name its own begins, as
    a whole word; one in the folder of an image that has no name of its own (``A/t1.nii``) to that. Where a name is that
    of several images, the folders decide, too.

    Args:
        images: the images.
        candidates: label or mask files.
    """
    index = _Index(images)
    pairs: dict[PurePath, list[PurePath]] = {}
    for candidate in candidates:
        for image in index.owners(candidate):
            pairs.setdefault(image.path, []).append(candidate.path)
    return pairs


class _Index:
    """Images by their names, alone and together with their folders."""

    def __init__(self, images: Sequence[NamedFile]) -> None:
        self.images: dict[Hashable, list[NamedFile]] = {}
        self.places: dict[str, set[Hashable]] = {}
        for image in images:
            names = {stem(image.path.name), image.name.key, image.name.bids}
            for name in names - {""}:
                place = _folders(image.path)
                self.places.setdefault(name, set()).add(place)
                for key in (name, (name, place), (name, image.path.parent)):
                    self.images.setdefault(key, []).append(image)
            if not image.name.subject or not image.name.key:
                self.images.setdefault(("", image.path.parent), []).append(image)

    def owners(self, candidate: NamedFile) -> Sequence[NamedFile]:
        """The images of a candidate: those with its name beside it, or in the same folders, or nowhere else."""
        place, parent = _folders(candidate.path), candidate.path.parent
        for name in _beginnings(candidate):
            for key in ((name, parent), (name, place)):
                if key in self.images:
                    return self.images[key]
            if len(self.places.get(name, ())) == 1:
                return self.images[name]
        return self.images.get(("", parent), ())


def _beginnings(candidate: NamedFile) -> Iterator[str]:
    """The names of images that a candidate may belong to, the longest first."""
    if candidate.name.bids:
        yield candidate.name.bids
        return
    name = stem(candidate.path.name)
    yield from (name[:end] for end in range(len(name), 0, -1) if not name[end : end + 1].isalnum())


def _folders(path: PurePath) -> tuple[str, ...]:
    """The folders of a file, without those that part the files of a scan."""
    return tuple(part for part in path.parts[:-1] if part.lower() not in SIDE_FOLDERS)
