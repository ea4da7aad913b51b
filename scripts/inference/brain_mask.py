# SPDX-License-Identifier: Apache-2.0
"""Brain masks of heads by a small trained network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from monai.data import MetaTensor
from monai.transforms import Compose, Orientation, ResampleToMatch, Spacing
from scipy import ndimage
from torch import Tensor, nn

from ..engines import accelerate, bfloat16_pays
from ..networks import SlabUNet
from ..networks.blocks import SIZE_MULTIPLE
from ..recipes.weights import load_weights
from ..transforms import PLANE_AXCODES, ScaleIntensityByVolumePercentiled

__all__ = ["BrainMasker", "largest_filled"]

WORKING_MM = 2.0
LEAST_ML = 50.0
"""Volume below which a mask shows no brain; that of adults is above 900 ml."""
WEIGHTS = Path(__file__).with_name("brain_mask.pt")


class BrainMasker:
    """Brain masks of T1-weighted heads, whole or skull-stripped, in any orientation and intensity scale.

    The mask is the closed and filled brain with its ventricles and the fluid of the sulci, without the spinal cord
    below the medulla. Everything is computed on a grid of 2 mm; a head takes half a second on two CPU cores.

    Args:
        weights: state dictionary of the network of ``configs/net/slab_unet_mask.yaml``.
        device: device of the network; by default a GPU if there is one.

    Raises:
        FileNotFoundError: there are no such weights.
        ValueError: they are those of another network.
    """

    def __init__(self, weights: str | Path = WEIGHTS, device: torch.device | str | None = None) -> None:
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        network: nn.Module = load_weights(SlabUNet(1, 1, channels=(24, 40, 48), residual_output=False), weights)
        self.network = accelerate(network.eval(), self.device, bfloat16_pays(self.device))
        self.scale = ScaleIntensityByVolumePercentiled(keys="image")
        self.to_working = Compose(
            [
                Orientation(PLANE_AXCODES["sagittal"], labels=None),
                Spacing(WORKING_MM, diagonal=False, dtype=np.float32),
            ]
        )

    @torch.no_grad()
    def __call__(self, volume: MetaTensor) -> MetaTensor:
        """Find the brain.

        Args:
            volume: head ``(1, X, Y, Z)`` with its affine.

        Returns:
            Boolean mask, same grid.

        Raises:
            ValueError: no brain is found.
        """
        working = self.to_working(self.scale({"image": volume})["image"])
        brain = largest_filled(self._odds(torch.as_tensor(np.asarray(working))[None])[0, 0].cpu().numpy() > 0)
        millilitres = brain.sum() * WORKING_MM**3 / 1000
        if millilitres < LEAST_ML:
            raise ValueError(
                f"no brain was found: the mask has {millilitres:.0f} ml, at least {LEAST_ML:g} ml are needed. Is it a "
                "T1-weighted head? Else give a mask with --masks."
            )
        where = MetaTensor(torch.from_numpy(brain)[None].float(), affine=working.affine)
        on_grid = ResampleToMatch(mode="bilinear", padding_mode="zeros")(where, volume)
        return MetaTensor(torch.as_tensor(np.asarray(on_grid) > 0.5), affine=volume.affine)

    def _odds(self, head: Tensor) -> Tensor:
        """Log odds of the brain, summed over the head, its mirror image, and slices along the two other axes."""
        odds = self._in_plane(head, (0, 1, 2)) + self._in_plane(head.flip(-1), (0, 1, 2)).flip(-1)
        return 2 * odds + self._in_plane(head, (0, 2, 1)) + self._in_plane(head, (1, 2, 0))

    def _in_plane(self, head: Tensor, axes: tuple[int, ...]) -> Tensor:
        turned = head.permute(0, 1, *(axis + 2 for axis in axes))
        height, width = turned.shape[2:4]
        padded = F.pad(turned, (0, 0, 0, -width % SIZE_MULTIPLE, 0, -height % SIZE_MULTIPLE))
        odds = self.network(padded.to(self.device))[:, :, :height, :width]
        return odds.permute(0, 1, *(axes.index(axis) + 2 for axis in range(3)))


def largest_filled(mask: np.ndarray) -> np.ndarray:
    """The largest connected part of a mask ``(X, Y, Z)``, its holes filled; empty where the mask is."""
    parts, number = ndimage.label(mask)
    if number == 0:
        return np.zeros(mask.shape, dtype=bool)
    return ndimage.binary_fill_holes(parts == np.argmax(np.bincount(parts.ravel())[1:]) + 1)
