# SPDX-License-Identifier: Apache-2.0
"""DICOM series: which ones a folder holds, and reading one of them; ITK is imported where it is needed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai.config import PathLike
from monai.data import ITKReader

__all__ = ["SeriesReader", "find_series", "is_dicom", "series_number"]

SUFFIXES = (".dcm", ".dicom", ".ima")
SERIES_NUMBER = "0020|0011"


def is_dicom(path: Path) -> bool:
    """Tell by the name or by the mark at byte 128; a file that cannot be read is none."""
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def find_series(folder: Path) -> dict[str, list[Path]]:
    """List the DICOM series of one folder, subfolders not included.

    Args:
        folder: folder of the files.

    Returns:
        Identifier (for :class:`SeriesReader`) to the files of the series, in slice order; sorted by identifier.

    Raises:
        ModuleNotFoundError: the package itk is missing.
    """
    names = _names_generator(folder)
    return {uid: [Path(name) for name in names.GetFileNames(uid)] for uid in sorted(names.GetSeriesUIDs())}


def series_number(file: Path) -> str:
    """The number the scanner gave to the series of a file; "" where it is absent or unreadable."""
    import itk

    image_io = itk.GDCMImageIO.New(FileName=str(file))
    try:
        image_io.ReadImageInformation()
    except RuntimeError:
        return ""
    dictionary = image_io.GetMetaDataDictionary()
    return str(dictionary[SERIES_NUMBER]).strip() if dictionary.HasKey(SERIES_NUMBER) else ""


def _names_generator(folder: PathLike) -> Any:
    """GDCM's listing with the settings of ``ITKReader``, so that the identifiers agree."""
    import itk

    names = itk.GDCMSeriesFileNames.New()
    names.SetUseSeriesDetails(True)
    names.AddSeriesRestriction("0008|0021")  # series date
    names.SetGlobalWarningDisplay(False)
    names.SetDirectory(str(folder))
    return names


class SeriesReader(ITKReader):
    """``ITKReader`` that refuses a series with missing slices, which ITK would read as if they were evenly spaced.

    Raises:
        ValueError: the distance of two slices differs from the others.
    """

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> Any:
        """Read the series ``series_name`` of a folder."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".* contains more than one DICOM series")
            image = super().read(data, **kwargs)
        dictionary = image.GetMetaDataDictionary()
        key = "ITK_non_uniform_sampling_deviation"
        if dictionary.HasKey(key) and dictionary[key] > 0:
            raise ValueError(
                f"the slices of the DICOM series are not evenly spaced (off by up to {dictionary[key]:.3g} mm): "
                "some are missing or doubled."
            )
        return image
