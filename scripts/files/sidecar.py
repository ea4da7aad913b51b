# SPDX-License-Identifier: Apache-2.0
"""The JSON file beside a result, as BIDS has it: what the image itself cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .atomic import write_json

__all__ = ["DICOM", "page_path", "sidecar_path", "write_sidecar"]

DICOM = "output_dicom"
"""Key of an item: folder of the derived series, relative to the folder of the results."""


def sidecar_path(image: Path) -> Path:
    """Where the sidecar of an image is.

    Example:
        >>> sidecar_path(Path("sub-01/sub-01_desc-restored_T1w.nii.gz")).name
        'sub-01_desc-restored_T1w.json'
    """
    return image.with_name(image.name.removesuffix(".gz").removesuffix(".nii") + ".json")


def page_path(image: Path) -> Path:
    """Where the page about a result is.

    Example:
        >>> page_path(Path("sub-01/sub-01_desc-restored_T1w.nii.gz")).name
        'sub-01_desc-restored_T1w.html'
    """
    return sidecar_path(image).with_suffix(".html")


def write_sidecar(image: Path, fields: Mapping[str, Any]) -> Path:
    """Write the sidecar of an image, by rename.

    Args:
        image: file of the image.
        fields: what it says, by BIDS's names where there are some (``Sources``, ``SkullStripped``); ``None`` and empty
            lists are left out.

    Returns:
        Its path.

    Raises:
        OSError: it cannot be written.
    """
    path = sidecar_path(image)
    write_json(path, {name: value for name, value in fields.items() if value is not None and value != []})
    return path
