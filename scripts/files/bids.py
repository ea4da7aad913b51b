# SPDX-License-Identifier: Apache-2.0
"""BIDS names, and the description that makes a folder of results a BIDS derivative."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .atomic import replacing, write_json
from .sidecar import sidecar_path

__all__ = [
    "DESCRIPTION",
    "RAW",
    "bids_entities",
    "derived_fields",
    "described_name",
    "redescribed",
    "write_derivative_description",
]

BIDS_STEM = re.compile(r"(?P<entities>sub-[a-zA-Z0-9]+(?:_[a-z]+-[a-zA-Z0-9]+)*)_(?P<suffix>[a-zA-Z][a-zA-Z0-9]*)")
DESC = re.compile(r"_desc-(?P<label>[a-zA-Z0-9]+)")
BIDS_VERSION = "1.9.0"
DESCRIPTION = "dataset_description.json"
SAME = ("Density", "Resolution", "SkullStripped", "SpatialReference")
"""Fields of a sidecar that hold for what was derived on the same grid, too."""
RAW = "raw"
"""Name of the input's dataset in BIDS URIs of the results: ``bids:raw:sub-01/anat/sub-01_T1w.nii.gz``."""


def bids_entities(stem: str) -> dict[str, str] | None:
    """The entities of a BIDS name, and its suffix under the key ``suffix``.

    Args:
        stem: name of a file without its extension.

    Returns:
        Values by key, in the order of the name; ``None`` for a name that is not BIDS. ``sess``, which OASIS-3 writes,
        is read as ``ses``.

    Example:
        >>> bids_entities("sub-01_ses-a_desc-brain_mask")
        {'sub': '01', 'ses': 'a', 'desc': 'brain', 'suffix': 'mask'}
    """
    match = BIDS_STEM.fullmatch(stem)
    if match is None:
        return None
    pairs = (entity.split("-", 1) for entity in match["entities"].split("_"))
    return {"ses" if key == "sess" else key: value for key, value in pairs} | {"suffix": match["suffix"]}


def described_name(stem: str, description: str) -> str:
    """Name a derived image: by the BIDS entity ``desc`` if the input has a BIDS name, otherwise by a suffix.

    Args:
        stem: name of the input without its extension.
        description: label of the result, letters and digits.

    Returns:
        Name of the result without its extension.

    Example:
        >>> described_name("sub-01_T1w", "restored")
        'sub-01_desc-restored_T1w'
        >>> described_name("sub-01_desc-n4_T1w", "restored")
        'sub-01_desc-n4Restored_T1w'
        >>> described_name("head", "restored")
        'head_restored'
    """
    match = BIDS_STEM.fullmatch(stem)
    if match is None:
        return f"{stem}_{description}"
    entities, suffix = match["entities"], match["suffix"]
    former = DESC.search(entities)
    if former:
        entities = entities.replace(former[0], "")
        description = former["label"] + description.capitalize()
    return f"{entities}_desc-{description}_{suffix}"


def redescribed(output: str, former: str, description: str) -> str:
    """Path of what lies beside a derived image.

    Args:
        output: path of the image, named by :func:`described_name`.
        former: its description.
        description: the other one's.

    Example:
        >>> redescribed("a/sub-01_desc-n4Restored_T1w.nii.gz", "restored", "uncertainty")
        'a/sub-01_desc-n4Uncertainty_T1w.nii.gz'
        >>> redescribed("head_restored.nii.gz", "restored", "uncertainty")
        'head_uncertainty.nii.gz'
    """
    places = {output.rfind(former): description, output.rfind(former.capitalize()): description.capitalize()}
    place = max(places)
    return output[:place] + places[place] + output[place + len(former) :]


def derived_fields(image: Path, dataset_dir: Path, voxel_mm: Sequence[float], skull_stripped: bool) -> dict[str, Any]:
    """What BIDS wants to know of an image that was derived from another one, on the same grid.

    Args:
        image: file or folder that it was derived from.
        dataset_dir: folder of the input's dataset.
        voxel_mm: voxel sizes.
        skull_stripped: whether it shows a brain alone, where the sidecar of ``image`` does not tell.

    Returns:
        Fields of its sidecar.
    """
    place = image.relative_to(dataset_dir).as_posix()
    is_bids = (dataset_dir / DESCRIPTION).is_file()
    source = f"bids:{RAW}:{quote(place)}" if is_bids else place
    fields = {"Sources": [source], "SkullStripped": skull_stripped}
    if not is_bids:
        return fields
    entities = bids_entities(re.sub(r"(\.nii)?\.\w+$", "", image.name)) or {}
    if "res" in entities:
        fields["Resolution"] = f"voxels of {' x '.join(f'{size:g}' for size in voxel_mm)} mm"
    if "space" in entities:
        fields["SpatialReference"] = source
    try:
        given = json.loads(sidecar_path(image).read_text(encoding="utf-8"))
        return fields | {key: given[key] for key in SAME if key in given}
    except (OSError, ValueError, TypeError):  # there is none, or it is damaged
        return fields


def write_derivative_description(dataset_dir: Path, output_dir: Path, name: str, version: str, *others: str) -> None:
    """Make a folder of results a BIDS derivative if the input is a BIDS dataset, that is, has a description itself.

    Args:
        dataset_dir: folder of the input.
        output_dir: folder of the results; a description that is already there is kept.
        name: name of the software.
        version: version of the software.
        *others: names of files of ``output_dir`` that ``.bidsignore`` is to name, as BIDS knows no such files.

    Raises:
        OSError: the folder cannot be written to.
    """
    source, target = dataset_dir / DESCRIPTION, output_dir / DESCRIPTION
    if not source.is_file():
        return
    ignore = output_dir / ".bidsignore"
    ignored = ignore.read_text(encoding="utf-8").splitlines() if ignore.is_file() else []
    if missing := [other for other in others if other not in ignored]:
        with replacing(ignore) as partial:
            partial.write_text("\n".join([*ignored, *missing]) + "\n", encoding="utf-8")
    if target.exists():
        return
    url = dataset_dir.resolve().as_uri()
    description = {
        "Name": f"{name}: derived volumes",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": name, "Version": version}],
        "SourceDatasets": [{"URL": url}],
        "DatasetLinks": {RAW: url},
    }
    write_json(target, description)
