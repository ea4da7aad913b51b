# SPDX-License-Identifier: Apache-2.0
"""Load a volume file or one DICOM series of a folder."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
from monai.config import KeysCollection
from monai.data import ImageReader
from monai.transforms import LoadImaged

__all__ = ["LoadVolumed"]


class LoadVolumed(LoadImaged):
    """``LoadImaged`` that says what is wrong with a file, and reads the series that ``series_key`` names.

    MONAI reads the first series of a folder that holds several. It also converts complex voxels to their real part;
    here they are refused, and colours with a clear message.

    Args:
        keys: paths of volume files or of folders with DICOM files; the result is float32, channel first.
        series_key: key of the identifier of the DICOM series; absent or empty for a file.
        allow_missing_keys: skip a key that is absent.

    Raises:
        ValueError: the file is empty, or its voxels are no real numbers; slices of a series are missing.
        OSError: the file cannot be opened or read to its end.
    """

    def __init__(self, keys: KeysCollection, series_key: str = "series", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, ensure_channel_first=True, image_only=True, allow_missing_keys=allow_missing_keys)
        self.series_key = series_key

    def __call__(self, data: Mapping[Hashable, Any], reader: ImageReader | None = None) -> dict[Hashable, Any]:
        """Load the volumes of ``data``."""
        d = dict(data)
        for key in self.key_iterator(d):
            _check_file(Path(d[key]))
        if reader is None and any(Path(d[key]).is_dir() for key in self.key_iterator(d)):
            from ..data.dicom import SeriesReader  # itk takes a second to import

            reader = SeriesReader(series_name=d.get(self.series_key) or "")
        return super().__call__(d, reader)


def _check_file(path: Path) -> None:
    """Raise unless the file can be opened, has content and, where it is NIfTI, real voxels."""
    if path.is_dir():
        list(path.iterdir())
        return
    with path.open("rb") as file:
        if not file.read(1):
            raise ValueError("the file is empty.")
    if path.name.lower().endswith((".nii", ".nii.gz")):
        dtype = nib.nifti1.load(path).get_data_dtype()
        if dtype.fields:
            raise ValueError(f"the voxels are colours ({', '.join(dtype.names or ())}): give an image of one channel.")
        if dtype.kind not in "iuf":
            raise ValueError(f"the voxels are of type {dtype}: real numbers are needed.")
