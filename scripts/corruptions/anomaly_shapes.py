# SPDX-License-Identifier: Apache-2.0
"""Shapes of synthetic anomalies, as signed distances to their surface, and where in the head they lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .holes import deep_places

__all__ = [
    "REACH", "SHAPES", "Shapes", "axes_along", "box_offsets", "cluster_distance", "ellipsoid_distance", "gradient_at",
    "places", "shape_weights", "soft_edge",
]  # fmt: skip

SHAPES = ("blob", "ellipsoid", "cluster", "flat", "shell")
REACH = 2.2
"""Radii from the centre within which every shape ends, its soft edge included."""
CELL = 4
"""Voxels along the sides of the cells whose differences are the gradient of an image."""


class Shapes(NamedTuple):
    """Shapes of M anomalies, in millimetres.

    Attributes:
        code: index in :data:`SHAPES`, shape ``(M,)``.
        centre: in voxels of the box, shape ``(M, 3)``.
        axes: directions of the axes of an ellipsoid, shape ``(M, 3, 3)``, see :func:`axes_along`.
        radius: along these axes, shape ``(M, 3)``.
        sigma: of the soft edge, positive, shape ``(M,)``.
        bumps: by what share of the radius the surface moves, on a coarse grid over the box, shape ``(M, h, w, d)``.
        balls: centres of the balls of a cluster from its own, shape ``(M, balls, 3)``.
        ball_radius: shape ``(M, balls)``; a ball of negative radius is left out.
        wall: thickness of a shell, shape ``(M,)``.
        core: contrast within a shell by that of its wall, in [-1, 1], shape ``(M,)``.
    """

    code: Tensor
    centre: Tensor
    axes: Tensor
    radius: Tensor
    sigma: Tensor
    bumps: Tensor
    balls: Tensor
    ball_radius: Tensor
    wall: Tensor
    core: Tensor


def shape_weights(shapes: Shapes, offsets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Weights of anomalies in their boxes.

    Args:
        shapes: of M anomalies.
        offsets: see :func:`box_offsets`.

    Returns:
        The weight in [0, 1], and the weight with the sign of the contrast, which is negative in the core of some
        shells. Each of shape ``(M, h, w, d)``.
    """
    size = [offset.shape[axis + 1] for axis, offset in enumerate(offsets)]
    bumps = F.interpolate(shapes.bumps[:, None], size=size, mode="trilinear", align_corners=True)[:, 0]
    solid = ellipsoid_distance(offsets, shapes.axes, shapes.radius, 1 + bumps)
    code, wall, core = (values[:, None, None, None] for values in (shapes.code, shapes.wall, shapes.core))
    distance = torch.where(
        code == SHAPES.index("cluster"), cluster_distance(offsets, shapes.balls, shapes.ball_radius), solid
    )
    weight = soft_edge(distance, shapes.sigma)
    inner = soft_edge(solid - wall, shapes.sigma) * (code == SHAPES.index("shell"))
    profile = weight * (1 - inner) + core * inner
    return torch.where(inner > 0, profile.abs(), weight), profile


def ellipsoid_distance(offsets: Sequence[Tensor], axes: Tensor, radius: Tensor, reach: Tensor) -> Tensor:
    """Distance to the surface of turned ellipsoids, to first order; positive inside.

    Args:
        offsets: see :func:`box_offsets`.
        axes: shape ``(M, 3, 3)``, see :func:`axes_along`.
        radius: along these axes, shape ``(M, 3)``.
        reach: share of the radius at which the surface lies, 1 on a smooth ellipsoid, broadcasts to ``(M, h, w, d)``.

    Returns:
        Millimetres, shape ``(M, h, w, d)``.
    """
    square: Tensor | float = 0.0
    steep: Tensor | float = 0.0
    for number in range(3):
        turn, length = axes[:, number, :, None, None, None], radius[:, number, None, None, None]
        along = (turn[:, 0] * offsets[0] + turn[:, 1] * offsets[1] + turn[:, 2] * offsets[2]) / length
        square, steep = square + along.square(), steep + (along / length).square()
    share = torch.as_tensor(square).sqrt()
    smallest = radius.amin(dim=1)[:, None, None, None]
    return (reach - share) * (share + 1e-3) / (torch.as_tensor(steep).sqrt() + 1e-3 / smallest)


def cluster_distance(offsets: Sequence[Tensor], centre: Tensor, radius: Tensor) -> Tensor:
    """Distance to the surface of a union of balls; positive inside.

    Args:
        offsets: see :func:`box_offsets`.
        centre: of the balls, shape ``(M, balls, 3)``.
        radius: shape ``(M, balls)``; a ball of negative radius is left out.

    Returns:
        Millimetres, shape ``(M, h, w, d)``.
    """
    distances = []
    for number in range(centre.shape[1]):
        x, y, z = (offset - centre[:, number, axis, None, None, None] for axis, offset in enumerate(offsets))
        radial = (x.square() + y.square() + z.square()).sqrt()
        there = radius[:, number, None, None, None]
        distances.append(torch.where(there > 0, there - radial, -torch.inf))
    return torch.stack(distances).amax(dim=0)


def soft_edge(distance: Tensor, sigma: Tensor) -> Tensor:
    """Weight with a soft edge: nearly a shape convolved with a Gaussian, but of finite reach.

    Args:
        distance: to the surface, positive inside, shape ``(M, h, w, d)``.
        sigma: of the Gaussian, positive, shape ``(M,)``; the weight rises from 0 to 1 from ``2 * sigma`` outside of the
            surface to ``2 * sigma`` inside of it.

    Returns:
        In [0, 1], shape of ``distance``.
    """
    rise = (0.5 + distance / (4 * sigma[:, None, None, None])).clamp(0, 1)
    return rise.square() * (3 - 2 * rise)


def axes_along(first: Tensor, second: Tensor) -> Tensor:
    """Three perpendicular unit vectors, the first along ``first``, the second in the plane of both.

    Args:
        first: shape ``(..., 3)``.
        second: same shape, not parallel to ``first``.

    Returns:
        Shape ``(..., 3, 3)``, a vector in each row.
    """
    one = first / first.norm(dim=-1, keepdim=True).clamp(min=1e-9)
    two = second - (second * one).sum(dim=-1, keepdim=True) * one
    two = two / two.norm(dim=-1, keepdim=True).clamp(min=1e-9)
    return torch.stack([one, two, torch.linalg.cross(one, two)], dim=-2)


def box_offsets(centre: Tensor, sides: Sequence[int], mm: Sequence[float]) -> tuple[Tensor, Tensor, Tensor]:
    """Millimetres from a centre along each axis of a box: three tensors that broadcast to ``(M, h, w, d)``.

    Args:
        centre: in voxels of the box, shape ``(M, 3)``.
        sides: voxels along the sides of the box.
        mm: voxel size along each axis.
    """
    x, y, z = (
        (torch.arange(side, device=centre.device) - centre[:, axis, None]) * mm[axis] for axis, side in enumerate(sides)
    )
    return x[:, :, None, None], y[:, None, :, None], z[:, None, None, :]


def places(volumes: Tensor, uniform: Tensor, brain: Tensor | None = None, deep: bool = False) -> Tensor:
    """Choose voxels in the brain or, where no mask of it is given, deep in the head.

    Args:
        volumes: shape ``(B, 1, H, W, D)``.
        uniform: numbers in [0, 1), shape ``(B, places, 4)``.
        brain: mask of the brain, shape of ``volumes``.
        deep: about 12 mm and more inside of the surface of the brain, at 2 mm.

    Returns:
        ``int64``, shape ``(B, places, 3)``.
    """
    if brain is None:
        found = deep_places(volumes, uniform)
    else:
        found = deep_places(brain.float(), uniform, *((4, 0.98) if deep else (2, 0.6)))
    last = torch.tensor(volumes.shape[2:], device=volumes.device) - 1
    return torch.minimum(found.round().long().clamp(min=0), last)


def gradient_at(volumes: Tensor, voxels: Tensor, mm: Sequence[float]) -> Tensor:
    """Intensity gradient over some voxels, from dark to bright.

    Args:
        volumes: shape ``(B, 1, H, W, D)``.
        voxels: integers of shape ``(B, places, 3)``.
        mm: voxel size along each axis.

    Returns:
        Change of intensity in a millimetre along each axis, shape ``(B, places, 3)``.
    """
    sides = torch.tensor([min(CELL, size) for size in volumes.shape[2:]], device=voxels.device)
    cells = F.avg_pool3d(volumes, [min(CELL, size) for size in volumes.shape[2:]])
    padded = F.pad(cells, [1] * 6, mode="replicate")[:, 0]
    last = torch.tensor(cells.shape[2:], device=voxels.device) - 1
    cell = torch.minimum(voxels // sides, last) + 1
    rows = torch.arange(len(voxels), device=voxels.device)[:, None]
    slopes = []
    for axis, step in enumerate(torch.eye(3, dtype=torch.int64, device=voxels.device)):
        after, before = (padded[(rows, *(cell + sign * step).unbind(dim=2))] for sign in (1, -1))
        slopes.append((after - before) / (2 * sides[axis] * mm[axis]))
    return torch.stack(slopes, dim=2)
