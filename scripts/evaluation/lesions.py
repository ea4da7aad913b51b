# SPDX-License-Identifier: Apache-2.0
"""Synthetic lesions of known place, size and contrast in healthy heads, for evaluation alone.

Shapes, edges, textures, deformations and the code differ from those that detectors are trained on
(:class:`~scripts.corruptions.RandAnomalies`), and ``asymmetry`` is a kind that training does not have at all. A lesion
lies in the brain almost entirely, mostly in tissue, and clear of the lesions before it.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .lesion_kinds import LESION_KINDS, Site, Volume

__all__ = ["Lesion", "put_lesions"]

TRIES = 300
"""Places that are tried for each lesion."""
SUPPORT = 1.6
"""Distance from the centre at which the soft edge has ended, 1 = the surface; displacements end at 2."""
INSIDE = 0.9
"""Least share of a lesion that lies in the brain."""
TISSUE = 0.6
"""Least mean intensity of its place as a share of the brain's median: little of it is fluid."""
LEAST_CHANGE = 0.03
"""Least root mean square of the change: atrophy far from any fluid changes nothing."""


@dataclass(frozen=True)
class Lesion:
    """One synthetic lesion.

    Attributes:
        kind: a key of :data:`LESION_KINDS`.
        centre: voxel.
        diameter_mm: of the ball of its volume.
        contrast: what was asked for, with the sign of the change of intensity where it has one; see
            :data:`LESION_KINDS`.
        change: what came out: root mean square of the change within the mask.
    """

    kind: str
    centre: tuple[int, int, int]
    diameter_mm: float
    contrast: float
    change: float


def put_lesions(
    image: ArrayLike,
    brain: ArrayLike,
    kind: str,
    seed: int,
    number: tuple[int, int] = (1, 3),
    diameter_mm: tuple[float, float] | None = None,
    contrast: tuple[float, float] | None = None,
    spacing_mm: Sequence[float] = (2.0, 2.0, 2.0),
    donor: ArrayLike | None = None,
    lateral_axis: int = 2,
) -> tuple[NDArray[np.float32], NDArray[np.uint8], list[Lesion]]:
    """Put synthetic lesions of one kind into a healthy head.

    Args:
        image: volume ``(H, W, D)``, air 0, 99.5th percentile 1.
        brain: mask of the brain, same shape; nothing outside of it is changed.
        kind: a key of :data:`LESION_KINDS`.
        seed: of the lesions; they depend on it, the kind and the head alone.
        number: smallest and largest number of lesions, both included; fewer where no place is found.
        diameter_mm: range of the diameter, by default that of the kind.
        contrast: range of the absolute contrast, by default that of the kind.
        spacing_mm: voxel size.
        donor: another head on the same grid, whose tissue ``foreign`` lesions show; by default it is tissue from
            elsewhere in this head, turned round.
        lateral_axis: axis from one side of the head to the other.

    Returns:
        The image with lesions; the mask, in which lesion ``n`` of the list has the value ``n + 1``; and the list.

    Raises:
        ValueError: the kind is unknown, or image and mask are not volumes of the same shape.
    """
    if kind not in LESION_KINDS:
        raise ValueError(f"kind must be one of {', '.join(LESION_KINDS)}, got {kind}.")
    volume, inside = np.asarray(image, dtype=np.float64), np.asarray(brain) > 0
    if volume.ndim != 3 or inside.shape != volume.shape or not inside.any():
        raise ValueError(
            f"image and brain must be volumes of one shape with a brain in it, got {volume.shape} and {inside.shape}."
        )
    recipe, rng = LESION_KINDS[kind], np.random.default_rng([seed, zlib.crc32(kind.encode())])
    spacing = np.asarray(spacing_mm, dtype=np.float64)
    largest = (diameter_mm or recipe.diameter_mm)[1]
    half = [math.ceil(1.4 * largest / mm) for mm in spacing_mm]
    margin = [(size, size) for size in half]
    head = _Head(
        image=np.pad(volume, margin),
        inside=np.pad(inside, margin),
        labels=np.zeros([side + 2 * size for side, size in zip(volume.shape, half, strict=True)], dtype=np.uint8),
        donor=None if donor is None else np.pad(np.asarray(donor, dtype=np.float64), margin),
        level=float(np.median(volume[inside])),
        middle=float(np.argwhere(inside)[:, lateral_axis].mean() + half[lateral_axis]),
        half=half,
        spacing_mm=spacing,
        lateral_axis=lateral_axis,
    )
    lesions: list[Lesion] = []
    for _ in range(rng.integers(number[0], number[1] + 1)):
        shape = _shape(kind, rng, diameter_mm or recipe.diameter_mm, half, spacing)
        amount = rng.uniform(*(contrast or recipe.contrast)) * rng.choice(recipe.signs)
        lesion = head.lesion(kind, shape, float(amount), rng, len(lesions) + 1)
        lesions += [lesion] if lesion else []
    cropped = tuple(slice(size, -size) for size in half)
    return head.image[cropped].astype(np.float32), head.labels[cropped], lesions


@dataclass(frozen=True)
class _Shape:
    """Offsets, distance and weight of a lesion in its box, see :class:`Site`, and its mean semi-axis."""

    offsets: Volume
    distance: Volume
    weight: Volume
    radius: float


def _shape(
    kind: str, rng: np.random.Generator, diameter_mm: tuple[float, float], half: list[int], spacing: Volume
) -> _Shape:
    """A turned superellipsoid with a soft edge; ``soft_ellipsoid`` is an ellipsoid, its axes independent."""
    low, high = diameter_mm
    if kind == "soft_ellipsoid":
        semi_axes, exponent, order = rng.uniform(low / 2, high / 2, 3), 2.0, rng.uniform(4, 8)
    else:
        ratios = np.exp(rng.uniform(-0.25, 0.25, 3))
        semi_axes = low / 2 * (high / low) ** rng.random() * ratios / np.cbrt(ratios.prod())
        exponent, order = rng.uniform(1.5, 4), rng.uniform(4, 12)
    offsets = (np.indices([2 * size + 1 for size in half]) - np.array(half)[:, None, None, None]) * spacing[
        :, None, None, None
    ]
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    along = np.abs(np.tensordot(turn, offsets, 1)) / semi_axes[:, None, None, None]
    distance = (along**exponent).sum(axis=0) ** (1 / exponent)
    edge = [1 / (1 + value**order) for value in (distance, SUPPORT)]
    weight = np.clip((edge[0] - edge[1]) / (1 - edge[1]), 0, 1)
    return _Shape(offsets, distance, weight, float(np.cbrt(semi_axes.prod())))


@dataclass(frozen=True)
class _Head:
    """A padded head that lesions are written into."""

    image: Volume
    inside: NDArray[np.bool_]
    labels: NDArray[np.uint8]
    donor: Volume | None
    level: float
    middle: float
    half: list[int]
    spacing_mm: Volume
    lateral_axis: int

    def lesion(self, kind: str, shape: _Shape, contrast: float, rng: np.random.Generator, number: int) -> Lesion | None:
        """Put one lesion where there is room for it; ``None`` if there is none."""
        voxels, core = np.argwhere(self.inside), shape.distance < 1
        for centre in voxels[rng.integers(len(voxels), size=TRIES)]:
            box = self._box(centre)
            if not self._has_room(kind, centre, box, shape):
                continue
            site = Site(
                self.image[box],
                shape.offsets,
                shape.distance,
                shape.weight * self.inside[box],
                shape.radius,
                contrast,
                self._foreign(voxels, box, rng),
                self.spacing_mm,
                self.lateral_axis,
                rng,
            )
            filled = np.where(self.inside[box], LESION_KINDS[kind].fill(site).clip(min=0), site.image)
            mask = core & self.inside[box]
            change = float(np.sqrt(np.square(filled - site.image)[mask].mean()))
            if change >= LEAST_CHANGE:
                self.image[box] = filled
                self.labels[box][mask] = number
                x, y, z = (int(place) - margin for place, margin in zip(centre, self.half, strict=True))
                return Lesion(kind, (x, y, z), 2 * shape.radius, contrast, change)
        return None

    def _box(self, centre: NDArray[np.int_]) -> tuple[slice, ...]:
        return tuple(slice(middle - size, middle + size + 1) for middle, size in zip(centre, self.half, strict=True))

    def _has_room(self, kind: str, centre: NDArray[np.int_], box: tuple[slice, ...], shape: _Shape) -> bool:
        core = shape.distance < 1
        lateral = abs(centre[self.lateral_axis] - self.middle) * self.spacing_mm[self.lateral_axis]
        return bool(
            self.inside[box][core].mean() >= INSIDE
            and self.image[box][core & self.inside[box]].mean() >= TISSUE * self.level
            and not self.labels[box][shape.distance < 2].any()
            and (kind != "asymmetry" or lateral > SUPPORT * shape.radius)
        )

    def _foreign(self, voxels: NDArray[np.int_], box: tuple[slice, ...], rng: np.random.Generator) -> Volume:
        if self.donor is not None:
            return self.donor[box]
        return self.image[self._box(voxels[rng.integers(len(voxels))])][::-1, ::-1, ::-1]
