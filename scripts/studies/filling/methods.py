# SPDX-License-Identifier: Apache-2.0
"""Ways to fill holes that need no training, beside the one that is shipped."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from monai.data import MetaTensor
from torch import Tensor

from ...anatomy.midplane import find_midplane
from ...inference.filler import Filler
from ...inference.tissue_guess import TissueGuess
from ...repairs import fill_smoothly, separate_boxes

__all__ = ["methods"]

RIM = 2
"""Voxels around a hole that an exemplar is compared in."""
SEARCH = 8
"""Voxels around a hole within which exemplars are looked for, on both sides of the head."""
NEVER = 1e3


def methods(head: MetaTensor, mask: MetaTensor) -> dict[str, Tensor]:
    """Fill the holes of a head in several ways.

    Args:
        head: ``(1, H, W, D)``, its holes are 0; axes to the right, anterior, superior.
        mask: the holes.

    Returns:
        The filled volumes, ``(H, W, D)``, by the name of the way.
    """
    volume, holes, spacing = head.as_tensor()[0].double(), mask.as_tensor()[0], head.pixdim.tolist()

    def blended(guess: Tensor) -> Tensor:
        """Poisson blending: the guess plus the harmonic continuation of its error at the rim."""
        return guess + fill_smoothly(volume - guess, holes, spacing, order=1)

    smooth = fill_smoothly(volume, holes, spacing)
    mirrored = _mirrored(smooth, holes)
    inputs = MetaTensor(torch.cat([head.as_tensor(), holes[None].float()])[None], affine=head.affine)
    return {
        "zeros": volume,
        "Laplace": fill_smoothly(volume, holes, spacing, order=1),
        "biharmonic": smooth,
        "mirrored hemisphere": torch.where(holes, mirrored, volume),
        "mirrored, Poisson": torch.where(holes, blended(mirrored), volume),
        "exemplar, Poisson": torch.where(holes, _exemplars(volume, holes, blended), volume),
        "shipped": torch.as_tensor(Filler(TissueGuess())(inputs))[0, 0].double(),
    }


def _mirrored(volume: Tensor, holes: Tensor) -> Tensor:
    """The volume with holes and their rims taken from the other side of the head."""
    plane = find_midplane(volume, holes)
    near = F.max_pool3d(holes.double()[None, None], 5, 1, 2)[0, 0] > 0
    places = plane.mirrored(near.nonzero().float())
    grid = (2 * places / (torch.tensor(volume.shape) - 1) - 1).flip(-1)
    values = F.grid_sample(volume[None, None], grid[None, None, None].double(), align_corners=True)
    return volume.masked_scatter(near, values.flatten())


def _exemplars(volume: Tensor, holes: Tensor, blended: Callable[[Tensor], Tensor]) -> Tensor:
    """Each box of holes taken from where the head, or its mirror image, is most like what is around it."""
    result = volume.clone()
    for tight in separate_boxes(holes, 2 * RIM):
        box = tuple(
            slice(max(0, s.start - RIM), min(n, s.stop + RIM)) for s, n in zip(tight, volume.shape, strict=True)
        )
        known, least = (~holes[box]).double(), float("inf")
        for source, lost, first in (
            (volume, holes, [side.start for side in box]),
            (volume.flip(0), holes.flip(0), [volume.shape[0] - box[0].stop, box[1].start, box[2].start]),
        ):
            sizes = known.shape
            area = tuple(
                slice(max(0, start - SEARCH), min(length, start + size + SEARCH))
                for start, size, length in zip(first, sizes, volume.shape, strict=True)
            )
            there, kernel = source[area][None, None], known[None, None]
            error = F.conv3d(there.square(), kernel) - 2 * F.conv3d(there, (volume[box] * known)[None, None])
            error += NEVER * F.conv3d(lost[area].double()[None, None], torch.ones_like(kernel))
            place = int(error.argmin())
            if float(error.flatten()[place]) < least:
                least = float(error.flatten()[place])
                x, y, z = torch.unravel_index(torch.tensor(place), error.shape[2:])
                best = source[area][x : x + sizes[0], y : y + sizes[1], z : z + sizes[2]]
        if least < NEVER / 2:
            result[box] = best
    return blended(result)
