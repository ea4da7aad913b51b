# SPDX-License-Identifier: Apache-2.0
"""The plane between the two halves of a head."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Midplane", "find_midplane"]

BLOCK = 3
"""Voxels along the sides of the blocks that are compared."""
STEPS, RATE = 40, 0.03
SHIFT = 10.0
"""Voxels by which the plane moves as its first parameter moves by 1."""


@dataclass(frozen=True)
class Midplane:
    """A plane of symmetry.

    Attributes:
        point: a point on it, in voxels, shape ``(3,)``.
        normal: its direction, of length 1, shape ``(3,)``.
    """

    point: Tensor
    normal: Tensor

    def mirrored(self, places: Tensor) -> Tensor:
        """Places in voxels, ``(..., 3)``, on the other side."""
        distance = (places - self.point) @ self.normal
        return places - 2 * distance[..., None] * self.normal


def find_midplane(volume: Tensor, left_out: Tensor) -> Midplane:
    """Find the plane across the first axis whose mirror image of a head is most like the head.

    Args:
        volume: shape ``(H, W, D)``, the first axis from left to right, voxels of the same size along all axes, air 0.
        left_out: voxels that are not compared, boolean, same shape.
    """
    block = [min(BLOCK, size) for size in volume.shape]
    weight = F.avg_pool3d((~left_out).float()[None, None], block)
    head = F.avg_pool3d(volume.float().masked_fill(left_out, 0.0)[None, None], block) / weight.clamp(min=1e-3)
    head = head.clamp(min=0)
    shape = torch.tensor(head.shape[2:])
    index = torch.stack(torch.meshgrid(*map(torch.arange, shape.tolist()), indexing="ij"), dim=-1).float()
    centre = (head[0, 0, ..., None] * index).sum(dim=(0, 1, 2)) / head.sum().clamp(min=1e-6)

    def plane(parameters: Tensor) -> Midplane:
        direction = torch.cat([torch.ones(1), parameters[1:]])
        normal = direction / direction.norm()
        return Midplane(centre + SHIFT / BLOCK * parameters[0] * normal, normal)

    parameters = torch.zeros(3, requires_grad=True)
    optimiser = torch.optim.Adam([parameters], lr=RATE)
    least, best = float("inf"), parameters.detach().clone()
    with torch.enable_grad():
        for _ in range(STEPS):
            places = plane(parameters).mirrored(index)
            grid = (2 * places / (shape - 1).clamp(min=1) - 1).flip(-1)
            other = F.grid_sample(head, grid[None], align_corners=True)
            loss = (weight * (other - head).square()).mean()
            if loss.item() < least:
                least, best = loss.item(), parameters.detach().clone()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    found = plane(best)
    return Midplane(found.point * BLOCK + (BLOCK - 1) / 2, found.normal)
