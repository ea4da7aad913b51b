# SPDX-License-Identifier: Apache-2.0
"""Write a result as a DICOM series that is derived from that of its volume."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
from monai.transforms import SaveImaged

from .. import __version__
from ..files.dicom import source_of
from ..files.dicom_derived import SOFTWARE
from ..files.dicom_series import write_series
from ..files.sidecar import DICOM

__all__ = ["REASON", "SaveDicomd"]

REASON = "reason"
"""Key of an item: the verdict on its volume, in a line."""


class SaveDicomd(SaveImaged):
    """Write results that lie under ``output_dir`` as NIfTI once more as DICOM, with the values of that file.

    It comes after what writes the NIfTI file. A ``SaveImaged``, so that MONAI Label takes it out of the postprocessing.

    Args:
        keys: results; they are not looked at.
        output_dir: folder of the results.
        what: what was done to them: "restored" or "filled".

    Raises:
        OSError: the series cannot be written.
        ValueError: the DICOM files of the volume have changed.
    """

    def __init__(self, keys: str, output_dir: str | Path, what: str = "restored") -> None:
        super().__init__(keys, output_dir=output_dir)
        self.output_dir, self.what = Path(output_dir), what

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write, and return ``data``."""
        d = dict(data)
        image: Any = nib.load(self.output_dir / d["output"])
        about = [f"{self.what.capitalize()} by {SOFTWARE} {__version__}", d.get(REASON, "").rstrip(".")]
        about.append("Research use, not for diagnosis: what was restored or filled is a guess, not a measurement")
        write_series(
            self.output_dir / d[DICOM],
            image.get_fdata(),
            image.affine,
            source_of(Path(d["source"]), d["series"]),
            self.what,
            ". ".join(filter(None, about)) + ".",
        )
        return d
