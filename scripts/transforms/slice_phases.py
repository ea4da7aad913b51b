# SPDX-License-Identifier: Apache-2.0
"""Slices at the network's pixel size: split into several coarser ones without interpolation, or resampled."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from monai.config import KeysCollection
from monai.data import MetaTensor, affine_to_spacing
from monai.transforms import InvertibleTransform, MapTransform, Spacingd
from monai.utils import TraceKeys, convert_to_tensor

__all__ = ["SpacingOnlyd", "SplitSlicePhasesd", "join_phases", "split_phases"]


def split_phases(volume: torch.Tensor, factors: tuple[int, int]) -> torch.Tensor:
    """Split each slice into ``f * g`` smaller ones, each with every ``f``-th row and every ``g``-th column.

    Args:
        volume: ``(C, H, W, K)``, padded to a multiple of the factors by repeating the last row and column.
        factors: ``(f, g)``, each at least 1.

    Returns:
        ``(C, ceil(H / f), ceil(W / g), f * g * K)``: each pixel of the input exactly once.
    """
    (f, g), (channels, height, width, slices) = factors, volume.shape
    padded = F.pad(volume, (0, 0, 0, -width % g, 0, -height % f), mode="replicate")
    rows, columns = padded.shape[1] // f, padded.shape[2] // g
    phases = padded.reshape(channels, rows, f, columns, g, slices).permute(0, 1, 3, 2, 4, 5)
    return phases.reshape(channels, rows, columns, f * g * slices)


def join_phases(phases: torch.Tensor, factors: tuple[int, int], size: tuple[int, int]) -> torch.Tensor:
    """Undo :func:`split_phases`.

    Args:
        phases: slices of the split volume, ``(C, rows, columns, f * g * K)``.
        factors: factors ``(f, g)`` of the split.
        size: height and width ``(H, W)`` before the split.

    Returns:
        ``(C, H, W, K)``.
    """
    (f, g), (channels, rows, columns, slices) = factors, phases.shape
    volume = phases.reshape(channels, rows, columns, f, g, slices // (f * g)).permute(0, 1, 3, 2, 4, 5)
    return volume.reshape(channels, rows * f, columns * g, -1)[:, : size[0], : size[1]]


class SplitSlicePhasesd(MapTransform, InvertibleTransform):
    """Bring slices with fine pixels to the network's pixel size by splitting them into interleaved slices.

    A network that was trained on 2 mm pixels sees a 1 mm slice at the wrong scale. Resampling to 2 mm would interpolate
    and could correct only what is visible at 2 mm. Here the 1 mm slice becomes its four phases, each a 2 mm slice that
    holds every second pixel of every second row, and each is restored separately: every pixel is seen and corrected
    once, nothing is interpolated, and the inverse is exact. The factor of an axis is ``round(spacing_mm / spacing)``,
    at least 1, so the phases have pixels of 2/3 to 4/3 of ``spacing_mm``.

    The phases follow one another along the third axis; the affine of the ``MetaTensor`` keeps describing the volume
    before the split.

    Args:
        keys: volumes ``(1, H, W, K)`` with their affine, slices along the third axis.
        spacing_mm: pixel size that the network was trained on.
        allow_missing_keys: skip a key that is absent.

    Raises:
        ValueError: ``spacing_mm`` is not positive.
    """

    def __init__(self, keys: KeysCollection, spacing_mm: float, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        if not spacing_mm > 0:
            raise ValueError(f"spacing_mm must be positive, got {spacing_mm}.")
        self.spacing_mm = spacing_mm

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Split the volumes of ``data``."""
        d = dict(data)
        for key in self.key_iterator(d):
            volume = convert_to_tensor(d[key], track_meta=True)
            height, width, _ = affine_to_spacing(volume.affine, 3).tolist()
            factors = (max(1, round(self.spacing_mm / height)), max(1, round(self.spacing_mm / width)))
            phases = MetaTensor(split_phases(volume.as_tensor(), factors)).copy_meta_from(volume)
            self.push_transform(phases, orig_size=tuple(volume.shape[1:]), extra_info={"factors": factors})
            d[key] = phases
        return d

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Join the phases of ``data`` to the slices they came from."""
        d = dict(data)
        for key in self.key_iterator(d):
            phases: MetaTensor = d[key]
            info = self.pop_transform(phases)
            f, g = (int(factor) for factor in info[TraceKeys.EXTRA_INFO]["factors"])
            height, width, _ = (int(size) for size in info[TraceKeys.ORIG_SIZE])
            joined = join_phases(phases.as_tensor(), (f, g), (height, width))
            d[key] = MetaTensor(joined).copy_meta_from(phases)
        return d


class SpacingOnlyd(Spacingd):
    """``Spacingd`` that sees only the entries of its own keys.

    MONAI's takes every entry whose name begins with ``image_`` for the metadata of ``image`` and calls its ``update``.
    MONAI Label stores the path of the file as ``image_path``, which then ends in an ``AttributeError``.
    """

    def __call__(self, data: Mapping[Hashable, Any], lazy: bool | None = None) -> dict[Hashable, Any]:
        """Resample the volumes of ``keys``."""
        volumes = {key: data[key] for key in self.key_iterator(dict(data))}
        return {**data, **super().__call__(volumes, lazy=lazy)}
