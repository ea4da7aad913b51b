# SPDX-License-Identifier: Apache-2.0
"""Write a restored volume as NIfTI: complete or not at all."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import SaveImaged
from numpy.typing import DTypeLike

from ..files.nifti_image import INPUT, save_nifti
from .load_volume import WARNINGS

__all__ = ["SaveRestoredd"]


class SaveRestoredd(SaveImaged):
    """Write the volumes of ``keys`` under ``output_dir``, at the relative path that the item names as its ``output``.

    A ``SaveImaged``, so that MONAI Label, which writes results itself, takes it out of the postprocessing.

    Args:
        keys: restored volumes ``(1, H, W, D)``, with the affine of the input.
        output_dir: folder of the results.
        name_key: key of the relative path.
        dtype: type of the voxels, see :func:`save_nifti`; what it cuts off is a line of the item's ``warnings``.
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
        if dtype not in (None, INPUT):
            try:
                np.dtype(dtype)
            except TypeError:
                raise ValueError(f"dtype {dtype!r} is unknown: choose input, float32 or float64.") from None
        self.dtype = dtype

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write, and return ``data``."""
        d = dict(data)
        for key in self.key_iterator(d):
            volume = d[key]
            affine = np.asarray(volume.affine, dtype=np.float64)
            path = self.output_dir / d[self.name_key]
            remark = save_nifti(volume.as_tensor().cpu().numpy()[0], affine, path, volume.meta, self.dtype)
            if remark:
                d[WARNINGS] = "\n".join(filter(None, [d.get(WARNINGS, ""), remark]))
        return d
