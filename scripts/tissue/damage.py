# SPDX-License-Identifier: Apache-2.0
"""Artificial damage of tissue masks that imitates bad segmentations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .classes import Tissue

__all__ = ["DAMAGES", "damage_masks"]

HOLE_MM = 12.0
PIECE_MM = 8.0
PIECES = 3
CUT_MM = 8.0
BITE_MM = 24.0

Mask = NDArray[np.uint8]


def _hole(mask: Mask, spacing_mm: Sequence[float], rng: np.random.Generator) -> None:
    """A disc of background deep inside the brain."""
    depth = ndimage.distance_transform_edt(np.pad(mask > 0, 1), sampling=spacing_mm)[1:-1, 1:-1]
    mask[_disc(mask.shape, _draw(depth >= min(depth.max(), 1.5 * HOLE_MM), rng), HOLE_MM, spacing_mm)] = 0


def _pieces(mask: Mask, spacing_mm: Sequence[float], rng: np.random.Generator) -> None:
    """Three discs of grey matter in the background, away from the brain."""
    apart = ndimage.distance_transform_edt(mask == 0, sampling=spacing_mm)
    inside = np.zeros(mask.shape, dtype=bool)
    inside[2:-2, 2:-2] = True
    for _ in range(PIECES):
        where = inside & (apart >= min(apart[inside].max(), PIECE_MM + 2 * max(spacing_mm)))
        mask[_disc(mask.shape, _draw(where, rng), PIECE_MM, spacing_mm) & (apart > max(spacing_mm))] = Tissue.GREY


def _cut(mask: Mask, spacing_mm: Sequence[float], rng: np.random.Generator) -> None:
    """A straight canal to the exterior from a ventricle, or from the middle of a brain that has none."""
    brain = mask > 0
    ventricle = mask == Tissue.VENTRICLE
    start = _draw(ventricle, rng) if ventricle.any() else np.argwhere(brain).mean(0)
    angle = rng.uniform(0, 2 * np.pi)
    y, x = ((np.arange(n) - at) * size for n, at, size in zip(mask.shape, start, spacing_mm, strict=True))
    along = y[:, None] * np.sin(angle) + x[None] * np.cos(angle)
    across = y[:, None] * np.cos(angle) - x[None] * np.sin(angle)
    mask[brain & (along >= 0) & (np.abs(across) <= CUT_MM / 2)] = Tissue.VENTRICLE


def _bite(mask: Mask, spacing_mm: Sequence[float], rng: np.random.Generator) -> None:
    """A disc of background around a point of the outline."""
    brain = mask > 0
    outline = brain & (
        ndimage.distance_transform_edt(np.pad(brain, 1), sampling=spacing_mm)[1:-1, 1:-1] <= max(spacing_mm)
    )
    mask[_disc(mask.shape, _draw(outline, rng), BITE_MM, spacing_mm)] = 0


DAMAGES: dict[str, Callable[[Mask, Sequence[float], np.random.Generator], None]] = {
    "hole": _hole,
    "pieces": _pieces,
    "cut": _cut,
    "bite": _bite,
}
"""Kinds of damage: a hole of 24 mm in the brain, three pieces of brain outside of it, ventricles that open to the
exterior, and a bite of 48 mm out of the outline. Each function damages a mask in place."""


def damage_masks(
    masks: NDArray[np.uint8], spacing_mm: Sequence[float], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """Damage each mask in one way, the kinds in turn.

    Args:
        masks: tissue masks, values of :class:`scripts.tissue.Tissue`, ``(N, H, W)``, none without brain.
        spacing_mm: height and width of a pixel.
        rng: random number generator.

    Returns:
        Damaged copies ``(N, H, W)``, and the key of :data:`DAMAGES` of each, ``(N,)``.
    """
    damaged = np.array(masks, dtype=np.uint8)
    kinds = np.resize(np.array(list(DAMAGES)), len(damaged))
    for mask, kind in zip(damaged, kinds, strict=True):
        DAMAGES[str(kind)](mask, spacing_mm, rng)
    return damaged, kinds


def _disc(
    shape: tuple[int, ...], centre: Sequence[float] | NDArray, radius_mm: float, spacing_mm: Sequence[float]
) -> NDArray[np.bool_]:
    y, x = ((np.arange(n) - at) * size for n, at, size in zip(shape, centre, spacing_mm, strict=True))
    return np.hypot(y[:, None], x[None]) <= radius_mm


def _draw(where: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.intp]:
    """A random pixel of a mask, ``(2,)``."""
    places = np.argwhere(where)
    return np.asarray(places[rng.integers(len(places))])
