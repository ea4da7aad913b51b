# SPDX-License-Identifier: Apache-2.0
"""Write a restored volume as NIfTI: complete or not at all."""

from __future__ import annotations

import gzip
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from monai.config import KeysCollection
from monai.transforms import SaveImaged
from monai.utils import optional_import
from numpy.typing import DTypeLike

from ..files.atomic import replacing

igzip, has_igzip = optional_import("isal", name="igzip")  # ten times as fast as zlib

__all__ = ["SaveRestoredd", "nifti_image", "save_nifti"]

SCANNER_ANATOMICAL = 1
"""NIfTI code of a transform to scanner coordinates, written where the input names none (MHA, NRRD, DICOM)."""

GZIP_LEVEL = 1
"""The fastest; ISA-L's is as small as zlib's, which nibabel uses."""


def nifti_image(volume: np.ndarray, affine: np.ndarray, meta: Mapping[str, Any] | None = None) -> nib.Nifti1Image:
    """Make a NIfTI image of an array.

    Args:
        volume: ``(H, W, D)``, of the type that the voxels shall have.
        affine: ``(4, 4)``, voxel indices to millimetres, RAS.
        meta: header of the input; its ``sform_code`` and ``qform_code`` are kept.

    Returns:
        The image, with the affine as sform and, as far as a rotation can say it, as qform.
    """
    meta = meta or {}
    image = nib.Nifti1Image(volume, affine)
    codes = [int(meta.get(name, 0)) for name in ("sform_code", "qform_code")]
    sform, qform = codes if any(codes) else (SCANNER_ANATOMICAL, SCANNER_ANATOMICAL)
    image.set_sform(affine, code=sform or SCANNER_ANATOMICAL)
    image.set_qform(affine, code=qform)  # of a sheared affine, the nearest rotation; readers prefer the sform
    image.header.set_xyzt_units("mm", "sec")
    return image


def save_nifti(
    volume: np.ndarray,
    affine: np.ndarray,
    path: Path,
    meta: Mapping[str, Any] | None = None,
    dtype: DTypeLike | None = None,
) -> None:
    """Write a NIfTI file under a temporary name in its folder, then rename it.

    Args:
        volume: ``(H, W, D)``.
        affine: ``(4, 4)``, voxel indices to millimetres, RAS.
        path: ends in ``.nii.gz``; its folder is made where it is missing. A former file is replaced.
        meta: header of the input, see :func:`nifti_image`.
        dtype: type of the voxels; None: float64 of a float64 volume, else float32.

    Raises:
        OSError: the file cannot be written; nothing is left of it.
    """
    dtype = dtype or (np.float64 if volume.dtype == np.float64 else np.float32)
    image = nifti_image(np.asarray(volume, dtype=dtype), affine, meta)
    open_gzip = igzip.open if has_igzip else gzip.open
    with replacing(path) as partial, open_gzip(partial, "wb", compresslevel=GZIP_LEVEL) as file:
        image.to_stream(file)


class SaveRestoredd(SaveImaged):
    """Write the volumes of ``keys`` under ``output_dir``, at the relative path that the item names as its ``output``.

    A ``SaveImaged``, so that MONAI Label, which writes results itself, takes it out of the postprocessing.

    Args:
        keys: restored volumes ``(1, H, W, D)``, with the affine of the input.
        output_dir: folder of the results.
        name_key: key of the relative path.
        dtype: type of the voxels; None: float64 of a float64 volume, else float32.
        allow_missing_keys: skip a key that is absent.
    """

    def __init__(
        self,
        keys: KeysCollection,
        output_dir: str | Path,
        name_key: str = "output",
        dtype: DTypeLike | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, output_dir=output_dir, allow_missing_keys=allow_missing_keys)
        self.output_dir = Path(output_dir)
        self.name_key = name_key
        self.dtype = dtype

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write, and return ``data`` as it came."""
        d = dict(data)
        for key in self.key_iterator(d):
            volume = d[key]
            affine = np.asarray(volume.affine, dtype=np.float64)
            path = self.output_dir / d[self.name_key]
            save_nifti(volume.as_tensor().cpu().numpy()[0], affine, path, volume.meta, self.dtype)
        return d
