# SPDX-License-Identifier: Apache-2.0
"""Network that corrects a smooth filling voxel by voxel, from what lies around the hole and opposite to it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["HoleNet", "hole_features"]

FARTHEST = 24
"""Voxels after which a ray that has not left the hole ends."""
BEYOND = (0, 1, 2, 4)
"""Steps from the rim of a hole to the voxels that are looked at."""
WIDE, OPPOSITE = (3, 6), (1, 3)
"""Distances in voxels of wider neighbourhoods, of a voxel and of its mirror image."""
WAVES = (1, 2, 4)
CONTRAST = 3.0
"""Differences of intensities become of the order of 1."""

BLOCK = torch.tensor(list(itertools.product((-1, 0, 1), repeat=3)))
LARGE_BLOCK = torch.tensor(list(itertools.product(range(-2, 3), repeat=3)))
RAYS = BLOCK[BLOCK.any(dim=1)]


class Member(nn.Module):
    """Four linear layers with residual connections from the features of a voxel to the correction of its filling."""

    def __init__(self, in_features: int, width: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Linear(in_features, width)
        self.middle = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(width, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Shape ``(N,)``, of features ``(N, in_features)``."""
        x = F.silu(self.first(features))
        for layer in self.middle:
            x = self.dropout(x)
            x = x + F.silu(layer(x))
        return self.last(x)[:, 0]


class HoleNet(nn.Module):
    """Mean of small networks, each from the features of a voxel to the correction of its smooth filling.

    All voxels are independent: a hole of 300 voxels costs what 300 rows of a table cost, where a convolutional network
    works on a whole block around it. An untrained network corrects nothing.

    Args:
        in_features: number of features, those of :func:`hole_features`.
        width: features of the layers between.
        members: number of networks.
        dropout: share of features that are dropped in training.

    Example:
        >>> HoleNet()(torch.zeros(5, 414)).shape
        torch.Size([5])
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, in_features: int = 414, width: int = 256, members: int = 2, dropout: float = 0.1) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(in_features))
        self.register_buffer("deviation", torch.ones(in_features))
        self.members = nn.ModuleList(Member(in_features, width, dropout) for _ in range(members))

    def each(self, features: Tensor) -> Tensor:
        """Corrections of each member, shape ``(members, N)``, of features ``(N, in_features)``."""
        normal = (features - self.mean) / self.deviation
        return torch.stack([member(normal) for member in self.members])

    def forward(self, features: Tensor) -> Tensor:
        """Corrections, shape ``(N,)``, of features ``(N, in_features)``."""
        return self.each(features).mean(dim=0)


def hole_features(volume: Tensor, mask: Tensor, voxels: Tensor, mirrored: Callable[[Tensor], Tensor]) -> Tensor:
    """Describe what lies around voxels of holes, relative to their smooth filling.

    Along 26 rays the first voxels beyond the rim and the distance to it; the filled neighbourhood in three sizes; the
    neighbourhood of the place on the other side of the head, and the rim's mirror image; the place in the head.

    Args:
        volume: smoothly filled head, shape ``(H, W, D)``: axes to the right, anterior and superior, voxels of 2 mm, air
            0, bright end 1.
        mask: holes, boolean, same shape.
        voxels: indices, ``(N, 3)``.
        mirrored: function from places in voxels, ``(..., 3)``, to those on the other side of the head.

    Returns:
        Shape ``(N, 414)``.
    """
    own = _at(volume, voxels)[:, None]
    distance = _distances(mask, voxels)
    rim = voxels[:, None] + distance[..., None] * RAYS
    opposite = mirrored(voxels.float())
    lengths = distance * RAYS.float().norm(dim=1)
    place = _place_in_head(volume, mask, voxels)
    contrasts = [
        *[_at(volume, rim + step * RAYS) for step in BEYOND],
        _between(volume, mirrored(rim.float())),
        _at(volume, voxels[:, None] + LARGE_BLOCK),
        *[_at(volume, voxels[:, None] + step * BLOCK) for step in WIDE],
        *[_between(volume, mirrored((voxels[:, None] + step * BLOCK).float())) for step in OPPOSITE],
    ]
    others = [
        own - 0.5,
        (own - 0.5).square(),
        lengths.reciprocal(),
        lengths.amin(dim=1, keepdim=True) / 5,
        _at(mask.float(), opposite.round().long())[:, None],
        place,
        *[wave(math.pi * number * place) for number in WAVES for wave in (torch.sin, torch.cos)],
    ]
    return torch.cat([*[CONTRAST * (values - own) for values in contrasts], *others], dim=1)


def _distances(mask: Tensor, voxels: Tensor) -> Tensor:
    """Steps along each ray to the first voxel outside of the holes, ``(N, rays)``."""
    distance = torch.full((len(voxels), len(RAYS)), FARTHEST)
    inside = torch.ones_like(distance, dtype=torch.bool)
    for step in range(1, FARTHEST):
        out = inside & ~_at(mask, voxels[:, None] + step * RAYS)
        distance[out] = step
        inside &= ~out
        if not inside.any():
            break
    return distance


def _place_in_head(volume: Tensor, mask: Tensor, voxels: Tensor) -> Tensor:
    """Coordinates from the middle of the head's width and length and from its top, ``(N, 3)``."""
    head = (volume > 0.15) & ~mask
    ends = []
    for axis in range(3):
        share = head.movedim(axis, 0).flatten(1).float().mean(dim=1)
        there = (share > 0.02).nonzero()[:, 0]
        ends.append((int(there[0]), int(there[-1])) if len(there) else (0, volume.shape[axis] - 1))
    (left, right), (back, front), (_, top) = ends
    centre = torch.tensor([(left + right) / 2, (back + front) / 2, top])
    return (voxels - centre) / torch.tensor([40.0, 50.0, 50.0])


def _at(volume: Tensor, places: Tensor) -> Tensor:
    """Values at whole places ``(..., 3)``; outside of the volume those of its faces."""
    last = torch.tensor(volume.shape) - 1
    x, y, z = torch.minimum(places.clamp(min=0), last).unbind(-1)
    return volume[x, y, z]


def _between(volume: Tensor, places: Tensor) -> Tensor:
    """Values at any places ``(N, K, 3)``, interpolated linearly."""
    last = torch.tensor(volume.shape) - 1
    grid = (2 * places / last.clamp(min=1) - 1).flip(-1)
    return F.grid_sample(volume[None, None], grid[None, None], align_corners=True, padding_mode="border")[0, 0, 0]
