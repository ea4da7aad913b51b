# SPDX-License-Identifier: Apache-2.0
"""Which mask belongs to which volume, by their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from ..files.bids import bids_entities
from ..files.find_volumes import FoundVolumes
from ..files.folder_walk import walk_folder
from ..files.formats import format_of, stem

__all__ = ["mask_output", "with_masks"]

DESCRIPTION = "filled"
ADDED = ("", "_mask", "_lesion", "_lesion_mask")
"""What the plain name of a mask may have more than that of its image."""
OF_A_MASK = {"label", "desc", "res", "suffix"}
"""Entities by which the BIDS name of a mask may differ from that of its image."""
SUFFIXES = ("mask", "roi", "dseg")
NO_LESION = {"brain", "head"}
"""Labels of masks that mark what is to stay."""


def with_masks(items: FoundVolumes, mask: str, dataset_dir: str) -> FoundVolumes:
    """Give each volume its mask, and one without a mask an ``error``; the masks themselves are no volumes.

    Args:
        items: volumes, see :func:`~scripts.files.find_volumes.find_volumes`.
        mask: file that belongs to all of them, or folder with a mask for each: of the same name, also with ``_mask``,
            ``_lesion`` or ``_lesion_mask`` at its end, or of the BIDS name of a mask of it, in the same subfolder or,
            where there is none, in any.
        dataset_dir: folder of the volumes.

    Returns:
        The items with ``mask`` (path) and ``output_mask`` (relative path of the mask of what was filled).

    Raises:
        FileNotFoundError: there is no such file or folder, no mask in it, or no volume besides them.
    """
    given = Path(mask).expanduser()
    if not given.exists():
        raise FileNotFoundError(f"mask '{mask}' does not exist: give a file, or a folder with the names of the images.")
    masks = [given]
    if given.is_dir():
        masks = [given / file for file in walk_folder(given).files if (kind := format_of(file.name)) and kind.reader]
        if not masks:
            raise FileNotFoundError(f"mask '{mask}' has no mask: no file in it is an image that is read here.")
    for item in items:
        found = _of(item, given, masks) if given.is_dir() else masks
        item["mask"] = str(found[0]) if len(found) == 1 else ""
        item["output_mask"] = mask_output(PurePath(item["output"])).as_posix()
        if not item["error"] and len(found) != 1:
            several = ", ".join(one.relative_to(given).as_posix() for one in found)
            item["error"] = (
                f"it has several masks in {given}: {several}. Keep one." if several else f"it has no mask in {given}."
            )
    apart = given.is_dir() and given.resolve() != Path(dataset_dir).resolve()
    used = {Path(item["mask"]).resolve() for item in items if item["mask"]} | (set(masks) if apart else set())
    used = {one.resolve() for one in used}
    items[:] = [item for item in items if Path(item["image"]).resolve() not in used]
    if not items:
        raise FileNotFoundError(
            f"dataset_dir '{dataset_dir}' has no volume besides the masks: give a folder of images."
        )
    return items


def mask_output(output: PurePath) -> PurePath:
    """Name of the mask of what was filled in a volume.

    Args:
        output: path of the filled volume.

    Example:
        >>> print(mask_output(PurePath("a/head_filled.nii.gz")), mask_output(PurePath("sub-1_desc-filled_T1w.nii.gz")))
        a/head_filled_mask.nii.gz sub-1_desc-filled_mask.nii.gz
    """
    name = stem(output.name)
    entities = bids_entities(name)
    if entities is None:
        return output.with_name(f"{name}_mask.nii.gz")
    base = name.removesuffix(f"_{entities['suffix']}")
    if entities["suffix"] != "T1w":  # several contrasts of a subject may be filled
        base = base.replace(f"desc-{entities['desc']}", f"desc-{entities['suffix']}{entities['desc'].capitalize()}")
    return output.with_name(f"{base}_mask.nii.gz")


def _of(item: dict[str, str], given: Path, masks: Sequence[Path]) -> list[Path]:
    """The masks of a volume: those in its own subfolder, else those in any; the plainest name wins."""
    output = PurePath(item["output"])
    image = Path(item["image"])
    name = output.name.removesuffix(f"_{DESCRIPTION}.nii.gz") if image.is_dir() else stem(image.name)
    others = [one for one in masks if one.resolve() != image.resolve()]
    for near in ([one for one in others if one.parent == given / output.parent], others):
        for added in ADDED:
            if found := [one for one in near if stem(one.name) == name + added]:
                return found
        if found := [one for one in near if _is_bids_mask(name, stem(one.name))]:
            lesions = [one for one in found if "lesion" in one.name.lower()]
            return lesions or found
    return []


def _is_bids_mask(image: str, mask: str) -> bool:
    """Whether the BIDS name of a mask is that of a mask of an image; it may hold the image's suffix, as of old."""
    parts = mask.split("_")
    own, entities = (
        bids_entities("_".join([part for part in parts[:-1] if "-" in part] + parts[-1:])),
        bids_entities(image),
    )
    if own is None or entities is None or own["suffix"] not in SUFFIXES:
        return False
    if NO_LESION & {own.get("label", "").lower(), own.get("desc", "").lower()}:
        return False
    free = OF_A_MASK if "space" in entities else OF_A_MASK | {"space"}
    return {k: v for k, v in own.items() if k not in free} == {k: v for k, v in entities.items() if k not in free}
