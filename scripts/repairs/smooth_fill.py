# SPDX-License-Identifier: Apache-2.0
"""Holes of a volume filled smoothly from what is around them, by Laplace's or the biharmonic equation in 3-D."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["fill_smoothly", "separate_boxes"]

Box: TypeAlias = tuple[slice, ...]

REACH = 2
"""Voxels around a hole that its biharmonic filling depends on."""
COARSENED = 6
"""Voxels along the longest side of a box from which it is solved at half the resolution first."""
TOLERANCE = 1e-4
"""Of the residual at which a solution is good, as a share of that of a hole of zeros."""
MOST_STEPS = 400
"""Steps of the solver at one resolution."""


def fill_smoothly(
    volume: Tensor, mask: Tensor, spacing_mm: Sequence[float] = (1.0, 1.0, 1.0), order: int = 2
) -> Tensor:
    r"""Fill holes with the smoothest values that continue what is around them.

    With ``order`` 1 the integral of :math:`|\nabla u|^2` is smallest, :math:`\Delta u = 0`, the mean of what is around;
    with 2 that of :math:`(\Delta u)^2`, :math:`\Delta^2 u = 0`, which also continues slopes. The Laplacian is that of
    the voxels' sizes; nothing flows through the faces of the volume. Each group of holes is solved in a box of its own,
    by conjugate gradients, at half the resolution first.

    Args:
        volume: shape ``(H, W, D)``; values that are not finite count as holes and are filled as well.
        mask: holes, boolean, same shape.
        spacing_mm: voxel sizes.
        order: 1 or 2.

    Returns:
        The filled volume, float64; outside of the holes the values of ``volume``.

    Raises:
        ValueError: the order is neither 1 nor 2, or no voxel is known.

    References:
        Damelin and Hoang, On surface completion and image inpainting by biharmonic functions: numerical aspects, 2018
        (doi:10.1155/2018/3950312).

    Example:
        >>> ramp = torch.arange(8.0).view(8, 1, 1).expand(8, 8, 8)
        >>> hole = torch.zeros(8, 8, 8, dtype=torch.bool)
        >>> hole[2:6, 2:6, 2:6] = True
        >>> bool((fill_smoothly(ramp.masked_fill(hole, 0), hole) - ramp).abs().max() < 0.01)
        True
    """
    if order not in (1, 2):
        raise ValueError(f"order must be 1 (Laplace) or 2 (biharmonic), got {order}.")
    filled = volume.clone()
    sizes = torch.as_tensor(spacing_mm, dtype=torch.float64)
    for box in separate_boxes(mask, 2 * REACH):
        near = _grown(box, mask.shape)
        while not (known := ~mask[near] & torch.isfinite(volume[near])).any():
            if near == _grown(near, mask.shape):
                raise ValueError("no voxel is known: there is nothing to fill from.")
            near = _grown(near, mask.shape)
        filled[near] = _solved(volume[near].double(), ~known, sizes, order).to(volume.dtype)
    return filled


def _grown(box: Box, shape: Sequence[int]) -> Box:
    return tuple(
        slice(max(0, side.start - REACH), min(size, side.stop + REACH)) for side, size in zip(box, shape, strict=True)
    )


def separate_boxes(mask: Tensor, gap: int = 0) -> list[Box]:
    """Boxes around the parts of a mask that empty slices keep apart.

    Args:
        mask: boolean, shape ``(H, W, D)``.
        gap: empty slices that do not yet separate two parts.

    Returns:
        Boxes that touch their parts on all sides; together they hold the whole mask.
    """
    waiting: list[Box] = [tuple(slice(0, size) for size in mask.shape)]
    boxes = []
    while waiting:
        box = waiting.pop()
        pieces = _pieces(mask[box], gap)
        if pieces == [tuple(slice(0, side.stop - side.start) for side in box)]:
            boxes.append(box)
        else:
            waiting += [
                tuple(
                    slice(side.start + part.start, side.start + part.stop)
                    for side, part in zip(box, piece, strict=True)
                )
                for piece in pieces
            ]
    return boxes


def _pieces(mask: Tensor, gap: int) -> list[Box]:
    """Boxes into which a mask is cut along the first axis that has empty slices, or at whose ends there are some."""
    whole = tuple(slice(0, size) for size in mask.shape)
    for axis, size in enumerate(mask.shape):
        there = mask.movedim(axis, 0).flatten(1).any(dim=1).nonzero()[:, 0]
        if len(there) == 0:
            return []
        before = (there.diff() > gap + 1).nonzero()[:, 0]
        first = [int(there[0]), *there[before + 1].tolist()]
        last = [*there[before].tolist(), int(there[-1])]
        if (first, last) != ([0], [size - 1]):
            return [
                (*whole[:axis], slice(start, stop + 1), *whole[axis + 1 :])
                for start, stop in zip(first, last, strict=True)
            ]
    return [whole]


def _solved(volume: Tensor, unknown: Tensor, sizes: Tensor, order: int) -> Tensor:
    """A volume whose unknown voxels are filled."""
    known = torch.where(unknown, 0.0, volume)
    start = _coarse_start(known, unknown, sizes, order)[unknown]
    weights = ((sizes.min() / sizes) ** 2).tolist()
    target = _laplacian(known, weights)
    there = F.max_pool3d(unknown.double()[None, None], 3, 1, 1)[0, 0] > 0 if order == 2 else unknown
    forth = _sparse_laplacian(there, unknown, weights)
    if order == 2:
        back, target = _sparse_laplacian(unknown, there, weights), -_laplacian(target, weights)
        solution = _conjugate_gradients(lambda values: back @ (forth @ values), target[unknown], start)
    else:
        solution = _conjugate_gradients(lambda values: -(forth @ values), target[unknown], start)
    return known.masked_scatter(unknown, solution)


def _sparse_laplacian(rows: Tensor, columns: Tensor, weights: Sequence[float]) -> Tensor:
    """The Laplacian of voxels that are zero outside of ``columns``, at the voxels of ``rows``: a sparse matrix."""
    number = torch.full(columns.shape, -1)
    number[columns] = torch.arange(int(columns.sum()))
    places = torch.full(rows.shape, -1)
    places[rows] = torch.arange(int(rows.sum()))
    found, values = [], []
    centre = torch.zeros(rows.shape, dtype=torch.float64)
    for axis, weight in enumerate(weights):
        size = rows.shape[axis]
        lower, upper = (0, 1), (1, 0)
        for here, other in (lower, upper):
            row, column = places.narrow(axis, here, size - 1), number.narrow(axis, other, size - 1)
            both = (row >= 0) & (column >= 0)
            found.append(torch.stack([row[both], column[both]]))
            values.append(torch.full((found[-1].shape[1],), weight, dtype=torch.float64))
            centre.narrow(axis, here, size - 1).sub_(weight)
    both = (places >= 0) & (number >= 0)
    found.append(torch.stack([places[both], number[both]]))
    values.append(centre[both])
    shape = (int(rows.sum()), int(columns.sum()))
    with warnings.catch_warnings():  # that sparse matrices are new in torch concerns no user
        warnings.filterwarnings("ignore", message="Sparse")
        return torch.sparse_coo_tensor(torch.cat(found, dim=1), torch.cat(values), shape).to_sparse_csr()


def _coarse_start(known: Tensor, unknown: Tensor, sizes: Tensor, order: int) -> Tensor:
    """The solution at half the resolution along the axes of the finest voxels; the mean where the box is small."""
    weight = (~unknown).double()
    if max(known.shape) <= COARSENED:
        return (known.sum() / weight.sum()).expand(known.shape)
    halved = [
        2 if mm < 1.5 * float(sizes.min()) and size > 2 else 1 for mm, size in zip(sizes, known.shape, strict=True)
    ]
    if max(halved) == 1:
        return (known.sum() / weight.sum()).expand(known.shape)

    def pooled(values: Tensor) -> Tensor:
        return F.avg_pool3d(values[None, None], halved, ceil_mode=True, count_include_pad=False)[0, 0]

    share = pooled(weight)
    coarse = pooled(known) / share.clamp(min=1e-9)
    solved = _solved(coarse, share < 0.5, sizes * torch.tensor(halved), order)
    fine = F.interpolate(solved[None, None], scale_factor=halved, mode="trilinear")[0, 0]
    return fine[tuple(slice(0, size) for size in known.shape)]


def _laplacian(values: Tensor, weights: Sequence[float]) -> Tensor:
    """Sum of the differences to the neighbours, none through a face of the box."""
    result = torch.zeros_like(values)
    for axis, weight in enumerate(weights):
        flow = values.diff(dim=axis).mul_(weight)
        size = values.shape[axis]
        result.narrow(axis, 0, size - 1).add_(flow)
        result.narrow(axis, 1, size - 1).sub_(flow)
    return result


def _conjugate_gradients(operator: Callable[[Tensor], Tensor], target: Tensor, start: Tensor) -> Tensor:
    """Solve ``operator(x) = target`` for a symmetric positive operator, from ``start`` on."""
    solution = start.clone()
    residual = target - operator(solution)
    direction = residual.clone()
    square = float(residual.square().sum())
    enough = TOLERANCE**2 * float(target.square().sum())
    for _ in range(MOST_STEPS):
        if square <= enough or square == 0.0:
            break
        image = operator(direction)
        step = square / float((direction * image).sum())
        solution.add_(direction, alpha=step)
        residual.sub_(image, alpha=step)
        former, square = square, float(residual.square().sum())
        direction.mul_(square / former).add_(residual)
    return solution
