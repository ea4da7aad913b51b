# SPDX-License-Identifier: Apache-2.0
"""Fill the holes of volumes: smoothly from their rims, corrected by what a small network learnt of heads."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from os import PathLike
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor, affine_to_spacing
from monai.transforms import Compose
from numpy.typing import ArrayLike

from ..files.errors import unwrapped
from ..repairs import fill_smoothly
from ..transforms import CheckVolumed, LoadMaskd, LoadVolumed, filled_image
from ..transforms.load_volume import WARNINGS
from .tissue_guess import TissueGuess
from .volume_item import VolumeLike, prepare, volume_item

__all__ = ["Filler", "fill"]

logger = logging.getLogger(__name__)

_load = LoadVolumed("image", stored_key="stored")
_check = Compose([LoadMaskd("image"), CheckVolumed("image")])


class Filler:
    """Inferer that fills holes: their biharmonic filling in 3-D, in which a refinement may change the masked voxels.

    Args:
        refinement: function from the smoothly filled volume and its mask, ``(1, H, W, D)`` each, to what it would fill
            in, same shape, such as :class:`~scripts.inference.tissue_guess.TissueGuess`; ``None`` keeps the smooth one.
    """

    def __init__(self, refinement: Callable[[MetaTensor, MetaTensor], torch.Tensor] | None = None) -> None:
        self.refinement = refinement

    def __call__(self, inputs: MetaTensor, network: Any = None) -> torch.Tensor:
        """Fill volumes.

        Args:
            inputs: volumes and masks as two channels, ``(B, 2, H, W, D)``.
            network: not used; inferers are given one.

        Returns:
            The filled volumes, ``(B, 1, H, W, D)``; voxels outside of the masks as they were.
        """
        return torch.stack([self._fill(volume[:1], volume[1:] != 0) for volume in inputs])

    def _fill(self, volume: MetaTensor, mask: MetaTensor) -> torch.Tensor:
        values, holes = volume.as_tensor(), mask.as_tensor()
        if not holes.any():
            return values
        filled = fill_smoothly(values[0], holes[0], affine_to_spacing(volume.affine).tolist())[None]
        if self.refinement is not None:
            filled = self.refinement(MetaTensor(filled, affine=volume.affine), mask)
        return torch.where(holes, filled.to(values.dtype), values)


def fill(image: VolumeLike, mask: VolumeLike, affine: ArrayLike | None = None) -> nib.Nifti1Image:
    """Fill what a mask marks in a T1-weighted head, such as a lesion, with what would be there in a healthy one.

    The voxels are those that ``brain-ae fill`` writes.

    Args:
        image: path of an image file or of a folder with one DICOM series, nibabel image, or array ``(X, Y, Z)``.
        mask: the same; an array has the affine of ``image``. What is not 0 is filled. On another grid it is resampled
            by nearest neighbour.
        affine: affine of an array, ``(4, 4)``, voxel indices to millimetres, RAS.

    Returns:
        NIfTI image with the type, the header and, outside of the mask, the stored values of the input.

    Raises:
        FileNotFoundError: there is no such file.
        TypeError: image or mask is of another type.
        ValueError: the image or the mask cannot be used.

    Example:
        >>> head = brain_ae.demo_head()
        >>> damaged, lesion = np.array(head.dataobj), np.zeros(head.shape)
        >>> lesion[40:46, 60:67, 50:56] = 1
        >>> damaged[lesion > 0] = 0
        >>> filled = brain_ae.fill(damaged, lesion, head.affine)
        >>> [round(float(np.abs(image.dataobj - head.get_fdata())[lesion > 0].mean())) for image in (head, filled)]
        [0, 61]
    """
    item = prepare(_load, image, affine)
    is_array = not isinstance(mask, str | PathLike | nib.spatialimages.SpatialImage)
    item["mask"] = volume_item(mask, np.asarray(item["image"].affine) if is_array else None)["image"]
    try:
        item = _check(item)
    except RuntimeError as error:  # MONAI wraps what a transform raises
        raise unwrapped(error) from None
    for line in item.get(WARNINGS, "").splitlines():
        logger.warning("warning: %s", line)
    volume = item["image"]
    both = torch.cat([volume.as_tensor(), item["mask"].as_tensor().to(volume.dtype)])
    pred = _shipped()(MetaTensor(both[None], affine=volume.affine))[0]
    filled, remark = filled_image({**item, "original": volume, "pred": pred})
    if remark:
        logger.warning("warning: %s", remark)
    return filled


@lru_cache(maxsize=1)
def _shipped() -> Filler:
    return Filler(TissueGuess())
