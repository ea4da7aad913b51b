# SPDX-License-Identifier: Apache-2.0
"""Fill the holes of volumes: smoothly from their rims, corrected by what a small network learnt of heads."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor, affine_to_spacing
from monai.transforms import Compose
from numpy.typing import ArrayLike

from ..repairs import fill_smoothly
from ..transforms import CheckVolumed, LoadMaskd, LoadVolumed, filled_image
from ..transforms.load_volume import WARNINGS
from .volume_item import VolumeLike, volume_item, prepare

__all__ = ["Filler", "fill"]

logger = logging.getLogger(__name__)


class Filler:
    """Inferer that fills holes: their biharmonic filling in 3-D, in which a refinement may change the masked voxels.

    Args:
        refinement: function from the smoothly filled volume and its mask, ``(1, H, W, D)`` each, to what it would fill
            in, same shape; a network that is told the mask is one. ``None``: :class:`TissueGuess`.
        device: device of the computation.
    """

    def __init__(
        self,
        refinement: Callable[[MetaTensor, MetaTensor], MetaTensor] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.refinement = refinement
        self.device = device

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
        spacing = affine_to_spacing(volume.affine).tolist()
        start = fill_smoothly(values[0], holes[0], spacing)[None]
        guess = start
        if self.refinement is not None:
            guess = self.refinement(MetaTensor(start, affine=volume.affine), mask)
        return torch.where(holes, guess.to(values.dtype), values)
