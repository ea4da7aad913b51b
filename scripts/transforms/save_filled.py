# SPDX-License-Identifier: Apache-2.0
"""Write a volume whose holes were filled: every other voxel as it was stored, bit for bit."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from monai.transforms import SaveImaged

from ..files.nifti_header import INTER, SLOPE, STORED
from ..files.nifti_image import as_stored, nifti_image, write_nifti
from .load_volume import WARNINGS

__all__ = ["SaveFilledd", "filled_image"]


def filled_image(item: Mapping[Hashable, Any], pred_key: str = "pred") -> tuple[nib.Nifti1Image, str]:
    """Put the filled voxels of a volume between those that its file stores.

    Args:
        item: ``pred_key``, the filled volume ``(1, H, W, D)``; ``original``, the volume as loaded; ``mask``, where it
            was filled; ``stored``, the voxels as stored, see :class:`~scripts.transforms.LoadVolumed`.
        pred_key: key of the filled volume.

    Returns:
        The image, in the type and with the slope, the offset and the header of the input, and how many filled voxels
        were cut off at the limits of the type, "" if none was.
    """
    original, mask = item["original"], np.asarray(item["mask"].cpu())[0]
    meta = original.meta
    stored = np.frombuffer(item["stored"], dtype=meta[STORED]).reshape(mask.shape).copy()
    guessed = np.asarray(item[pred_key].cpu())[0][mask]
    stored[mask], slope, inter, remark = as_stored(guessed, {INTER: 0.0, SLOPE: 1.0, **meta})
    return nifti_image(stored, np.asarray(original.affine, dtype=np.float64), meta, slope, inter), remark


class SaveFilledd(SaveImaged):
    """Write filled volumes under ``output_dir``, each with the mask of what was filled.

    Args:
        keys: filled volumes, see :func:`filled_image`.
        output_dir: folder of the results.
        name_key: key of the relative path of the volume.
        mask_name_key: key of that of its mask.
    """

    def __init__(
        self, keys: str, output_dir: str | Path, name_key: str = "output", mask_name_key: str = "output_mask"
    ) -> None:
        super().__init__(keys, output_dir=output_dir)
        self.output_dir = Path(output_dir)
        self.name_key, self.mask_name_key = name_key, mask_name_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write, and return ``data``."""
        d = dict(data)
        for key in self.key_iterator(d):
            image, remark = filled_image(d, key)
            original, mask = d["original"], np.asarray(d["mask"].cpu())[0].astype(np.uint8)
            affine = np.asarray(original.affine, dtype=np.float64)
            write_nifti(nifti_image(mask, affine, original.meta), self.output_dir / d[self.mask_name_key])
            write_nifti(image, self.output_dir / d[self.name_key])
            if remark:
                d[WARNINGS] = "\n".join(filter(None, [d.get(WARNINGS, ""), remark]))
        return d
