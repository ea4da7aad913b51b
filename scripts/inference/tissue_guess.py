# SPDX-License-Identifier: Apache-2.0
"""What a healthy head would have in its holes, by a small trained network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Orientation, ResampleToMatch, Spacing
from torch import Tensor

from ..anatomy.midplane import Midplane, find_midplane
from ..networks.hole_net import HoleNet, hole_features
from ..recipes.weights import load_weights
from ..transforms.volume_scale import ScaleIntensityByVolumePercentiled, applied_range

__all__ = ["TissueGuess"]

WORKING_MM = 2.0
WEIGHTS = Path(__file__).with_name("tissue_guess.pt")
PER_BATCH = 20000
"""Voxels at a time."""
PARTLY = 0.01
"""Share of a voxel of the working grid that makes it one of a hole."""


class TissueGuess:
    """Refinement of smoothly filled T1-weighted heads, of any orientation, voxel size and intensity scale.

    Everything is computed on a grid of 2 mm; only the correction goes back to that of the volume.

    Args:
        weights: state dictionary of a :class:`~scripts.networks.hole_net.HoleNet`.

    Raises:
        FileNotFoundError: there are no such weights.
        ValueError: they are those of another network.
    """

    def __init__(self, weights: str | Path = WEIGHTS) -> None:
        self.network = load_weights(HoleNet(), weights).eval()
        self.scale = ScaleIntensityByVolumePercentiled(keys="image")
        self.to_working = Compose(
            [Orientation("RAS", labels=None), Spacing(WORKING_MM, diagonal=False, dtype=np.float32)]
        )

    @torch.no_grad()
    def __call__(self, start: MetaTensor, mask: MetaTensor) -> Tensor:
        """Correct a filling.

        Args:
            start: smoothly filled volume, ``(1, H, W, D)``.
            mask: what was filled, same shape.

        Returns:
            The volume with corrected masked voxels.
        """
        scaled = self.scale({"image": start})["image"]
        found = applied_range(scaled)
        extent = found["high"] - found["low"] if found else 1.0
        working = self.to_working(scaled)
        part = self.to_working(MetaTensor(mask.as_tensor().float(), affine=start.affine))
        head, holes = (torch.as_tensor(np.asarray(one))[0] for one in (working, part))
        correction = torch.zeros_like(head)
        holes = holes > PARTLY
        correction[holes] = self._corrections(head, holes)
        there = ResampleToMatch(mode="bilinear", padding_mode="border")(
            MetaTensor(correction[None], affine=working.affine), start
        )
        return start.as_tensor() + extent * torch.as_tensor(np.asarray(there)).to(start.dtype)

    def _corrections(self, head: Tensor, holes: Tensor) -> Tensor:
        """Mean of the corrections of a head and of its mirror image."""
        plane = find_midplane(head, holes)
        last = head.shape[0] - 1
        turn = torch.tensor([-1.0, 1.0, 1.0])
        point = torch.stack([last - plane.point[0], *plane.point[1:]])
        other = Midplane(point, plane.normal * turn)
        voxels = holes.nonzero()
        flipped = torch.stack([last - voxels[:, 0], voxels[:, 1], voxels[:, 2]], dim=1)
        return (self._of(head, holes, voxels, plane) + self._of(head.flip(0), holes.flip(0), flipped, other)) / 2

    def _of(self, head: Tensor, holes: Tensor, voxels: Tensor, plane: Midplane) -> Tensor:
        return torch.cat(
            [self.network(hole_features(head, holes, some, plane.mirrored)) for some in voxels.split(PER_BATCH)]
        )
