# SPDX-License-Identifier: Apache-2.0
"""Restore whole volumes of any voxel size: repairs by formula, a verdict, and the network where it is called for."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from monai.data import affine_to_spacing
from monai.inferers import Inferer
from torch import Tensor

from ..anatomy.damage_kinds import KINDS
from ..networks.error_spread import voxel_features
from ..repairs import noise_std, remove_blur, remove_noise, repair
from ..transforms.plane import PLANE
from .gate import OUTSIDE, Gate, Verdict

__all__ = ["VolumeInferer", "interleaved", "judged"]

NOISY_DROPOUT = (("dropout", 0.5), ("noise", 0.4))
"""Levels from which dropped voxels are looked for under noise."""
BLURRED, MOST, LOST = 0.4, 0.5, ("dropout", "holes")
"""Level of blur from which it is looked for, unless there is more than so much of what an inversion would amplify."""
NOISE = 0.2
"""Level of noise from which it is removed, if the air shows how strong it is."""
UNSURE = {"erased voxels", "ghosts", "spikes", "noise"}
"""Repairs that leave traces which could be taken for a bias field."""
LEAST_FIELD, UNKNOWN = 0.05, 0.5
"""Root mean square of a bias field's logarithm from which it is undone, in what is likely to be a head; sound ones have
up to .029, turned by up to 20 degrees up to .049."""
FEWEST = 16
"""Voxels along an axis that a verdict needs; smaller volumes are padded with zeros for it."""
AROUND, TISSUE, LEAST_SHARE, FIELD = 5, 0.15, 0.02, 0.2
"""Of a head: voxels whose mean tells it from noise in the air, that mean, their least share of a slice, and the air on
either side that the training had at most, as a share of the head."""
MULTIPLE = 8
"""Divisor of rows and columns."""
PERCENTILE = 0.995
STRIDE = 11
"""Every how many voxels one counts for the percentile, as in training."""
Part: TypeAlias = tuple[slice, ...]
"""Index of one of the interleaved parts of a volume."""


class VolumeInferer(Inferer):
    """Inferer for networks that see whole volumes, such as :class:`~scripts.networks.SlabUNet`.

    What a formula undoes is undone first (:func:`~scripts.repairs.repair`). Then the network's verdict tells how much
    of which damage is left, and the gate whether the network is to restore it. A volume with finer voxels than those of
    the training is dealt out, without interpolation, to several interleaved ones, which are restored separately. A
    network without a verdict restores every volume as it is.

    Args:
        spacing_mm: voxel size that the network was trained on.
        gate: what decides by the verdict; ``None``: the network restores every volume.
        uncertainty: whether to give the standard deviations too, NaN of what lies outside; the network is then run on
            sound volumes as well.

    Attributes:
        verdict: that of the last volume; ``None`` without a gate.
    """

    def __init__(self, spacing_mm: float = 2.0, gate: Gate | None = None, uncertainty: bool = False) -> None:
        super().__init__()
        self.spacing_mm, self.gate, self.uncertainty = spacing_mm, gate, uncertainty
        self.verdict: Verdict | None = None

    @torch.no_grad()
    def __call__(self, inputs: Tensor, network: Any) -> Tensor:
        """Restore one volume.

        Args:
            inputs: ``(1, 1, H, W, D)``, nothing 0, 99.5th percentile 1, with its affine; without one, the voxels are
                those of the training.
            network: returns image and logarithm of its standard deviation, ``(B, 2, H, W, D)``, and has a ``verdict``
                and a ``spread``, as :class:`~scripts.networks.RestorerNet` has; or returns an image.

        Returns:
            Restored volume, where voxels were filled (1, else 0) and, if wanted, the standard deviation,
            ``(1, 2 or 3, H, W, D)``; the restored volume alone, if the network has no verdict.

        Raises:
            ValueError: there are several volumes or channels.
        """
        if inputs.ndim != 5 or inputs.shape[:2] != (1, 1):
            raise ValueError(f"one volume of one channel at a time, got the shape {tuple(inputs.shape)}.")
        volume, parts = _plain(inputs), interleaved(self._factors(inputs))
        self.verdict = None
        if getattr(network, "verdict", None) is None:
            restored = torch.empty_like(volume)
            for part in parts:
                restored[part] = _restored(volume[part], network)[:, :1]
            return restored
        repaired, filled, done, odds = _examined(volume, network, parts, _sagittal(inputs))
        result = volume.new_zeros(1, 3 if self.uncertainty else 2, *volume.shape[2:])
        restores = True
        if self.gate is not None:
            self.verdict = self.gate(odds[:-1].tolist(), float(odds[-1]), done)
            restores = self.verdict.restores
            if self.verdict.name == OUTSIDE:  # bit for bit
                result[:, :1], result[:, 2:] = volume, torch.nan
                return result
        result[:, :1], result[:, 1:2] = repaired, filled
        scale = _percentile(repaired) if done else 1.0
        levels, left = odds[None, :-1], odds[None, :-1].clone()
        if "noise" in done:  # the network must not remove it once more
            left[:, KINDS.index("noise")] = 0
        for part in parts if restores or self.uncertainty else []:  # of which nothing is left but the result
            seen = torch.cat([result[part][:, :1] / scale, result[part][:, 1:2]], dim=1)
            both = _restored(seen, network, left)
            if restores:
                result[part][:, :1] = both[:, :1] * scale
            if self.uncertainty:
                log_sd = (both if left.equal(levels) else _restored(seen, network, levels))[:, 1:]
                features = voxel_features(log_sd, seen[:, 1:], result[part][:, :1] / scale, volume[part] / scale)
                result[part][:, 2:] = network.spread(features, odds[:-1], done).exp() * scale
        return result

    @torch.no_grad()
    def verdict_on(self, inputs: Tensor, network: Any) -> Verdict:
        """The verdict alone, by the gate or a usual one.

        Args:
            inputs: as of a call.
            network: anything that has a ``verdict``.
        """
        _, _, done, odds = _examined(_plain(inputs), network, interleaved(self._factors(inputs)), _sagittal(inputs))
        return (self.gate or Gate())(odds[:-1].tolist(), float(odds[-1]), done)

    def _factors(self, inputs: Tensor) -> tuple[int, int, int]:
        """Interleaved volumes along each axis."""
        affine = getattr(inputs, "affine", None)
        if affine is None:
            return (1, 1, 1)
        sizes = affine_to_spacing(affine[0] if affine.ndim == 3 else affine).tolist()
        row, column, k = (
            max(1, min(voxels, round(self.spacing_mm / size)))
            for voxels, size in zip(inputs.shape[2:], sizes, strict=True)
        )
        return row, column, k


def _examined(
    volume: Tensor, network: Any, parts: Sequence[Part], sagittal: bool = True
) -> tuple[Tensor, Tensor, list[str], Tensor]:
    """The volume after all repairs that are called for, what was filled, what was done, and the odds.

    The network for the bias field knows heads in sagittal slices alone.
    """
    found = repair(volume)
    odds = _odds(found.volumes, network, parts)
    if all(_level(odds, kind) > least for kind, least in NOISY_DROPOUT):
        found = repair(volume, dark=True)
        odds[:-1] = torch.minimum(odds, _odds(found.volumes, network, parts))[:-1]
    repaired, done = found.volumes, found.done()
    blurred = _level(odds, "blur") > BLURRED or _level(odds, "noise") > NOISE  # which hides it from the verdict
    if len(parts) == 1 and blurred and all(_level(odds, kind) < MOST for kind in LOST):
        sharp, width = remove_blur(repaired[0, 0])  # the spectrum is known for voxels of this size
        if width:
            repaired, done = sharp[None, None], [*done, "blur"]
            odds = _odds(repaired, network, parts)
    repaired, done, odds = _without_noise(repaired, done, odds, network, parts)
    if sagittal and getattr(network, "field", None) is not None:
        repaired, done, odds = _without_field(repaired, done, odds, network, parts)
    if not found.filled.any():
        odds = _without_false_alarm(odds)
    return repaired, found.filled, done, odds


def _without_false_alarm(odds: Tensor) -> Tensor:
    """Where no voxel was filled, and nothing else is wrong that could hide lost ones, none were lost."""
    numbers = [KINDS.index(kind) for kind in LOST]
    others = odds[:-1].clone()
    others[numbers] = 0
    return (
        odds if float(others.max()) >= Gate().least else odds.index_fill(0, torch.tensor(numbers).to(odds.device), 0.0)
    )


def _without_noise(
    volume: Tensor, done: list[str], odds: Tensor, network: Any, parts: Sequence[Part]
) -> tuple[Tensor, list[str], Tensor]:
    """The volume without noise, if it has some and the air shows how much."""
    std = noise_std(volume[0, 0]) if _level(odds, "noise") > NOISE else 0.0
    if not std:
        return volume, done, odds
    clean = remove_noise(volume[0, 0], std)[None, None]
    after = torch.minimum(odds, _odds(clean, network, parts))
    for number in (KINDS.index("noise"), -1):  # the level that was there tells how uncertain the result is
        after[number] = odds[number]
    return clean, [*done, "noise"], after


def _without_field(
    volume: Tensor, done: list[str], odds: Tensor, network: Any, parts: Sequence[Part]
) -> tuple[Tensor, list[str], Tensor]:
    """The volume without its bias field, if it is likely to be a head, and nothing else could be taken for a field."""
    if float(odds[-1]) >= UNKNOWN or _level(odds, "noise") >= MOST or UNSURE.intersection(done):
        return volume, done, odds
    flat, strength = network.field.undo(volume)
    if float(strength) <= LEAST_FIELD:
        return volume, done, odds
    odds = torch.cat([_odds(flat, network, parts)[:-1], odds[-1:]])
    return flat, [*done, "uneven brightness"], odds


def _odds(volume: Tensor, network: Any, parts: Sequence[Part]) -> Tensor:
    """Levels and the probability of lying outside; interleaved parts are damaged alike, and one of them is enough."""
    return torch.sigmoid(network.verdict(judged(volume[parts[0]] / _percentile(volume))))[0]


def judged(volume: Tensor) -> Tensor:
    """What a verdict sees of a volume: no air far from the head, and zeros after the last row, column and slice.

    Args:
        volume: shape ``(1, 1, H, W, D)``, nothing 0, 99.5th percentile 1.
    """
    volume = _about_head(volume)
    height, width, depth = volume.shape[2:]
    rows, columns = ((size + MULTIPLE - 1) // MULTIPLE * MULTIPLE for size in (height, width))  # as in training
    add = [size - old + _lacking(size) for size, old in ((rows, height), (columns, width), (depth, depth))]
    return F.pad(volume, (0, add[2], 0, add[1], 0, add[0]))


def _about_head(volume: Tensor) -> Tensor:
    """The volume without the air far from the head, of which a widened field of view has more than any scan."""
    bright = F.avg_pool3d(F.pad(volume, 6 * (AROUND // 2,)), AROUND, 1)[0, 0] > TISSUE
    for axis in range(3):  # without a branch, so that it can be traced
        across = bright.to(volume).mean(dim=[other for other in range(3) if other != axis]) > LEAST_SHARE
        count = across.shape[0]
        places = torch.arange(count, device=across.device)
        first, stop = torch.where(across, places, count).amin(), torch.where(across, places + 1, 0).amax()
        margin = (FIELD * (stop - first)).round()
        near = (places >= first - margin) & (places < stop + margin) | ~across.any()
        volume = volume.index_select(axis + 2, near.nonzero()[:, 0])
    return volume


def _lacking(size: int) -> int:
    """Voxels that an axis lacks for a verdict; of traced sizes, there is no maximum."""
    return (abs(FEWEST - size) + FEWEST - size) // 2


def _level(odds: Tensor, kind: str) -> float:
    return float(odds[KINDS.index(kind)])


def interleaved(factors: Sequence[int]) -> list[Part]:
    """Indices of the ``f * g * h`` interleaved parts of a volume, each with every f-th row, g-th column and h-th slice.

    Args:
        factors: ``(f, g, h)``, each at least 1.

    Example:
        >>> volume = torch.rand(1, 1, 16, 17, 18)
        >>> [tuple(volume[part].shape[2:]) for part in interleaved((1, 2, 1))]
        [(16, 9, 18), (16, 8, 18)]
    """
    starts = itertools.product(*(range(factor) for factor in factors))
    whole = slice(None)
    return [(whole, whole, *(slice(a, None, n) for a, n in zip(start, factors, strict=True))) for start in starts]


def _restored(part: Tensor, network: Any, *known: Tensor) -> Tensor:
    """One of the interleaved volumes; the mask of what was filled is left out where there is none."""
    height, width = part.shape[2:4]
    seen = _padded(part if part[:, 1:].any() else part[:, :1])
    return network(seen, *known)[:, :, :height, :width]


def _padded(volume: Tensor) -> Tensor:
    """Zeros after the last row and column, as in training."""
    return F.pad(volume, (0, 0, 0, -volume.shape[3] % MULTIPLE, 0, -volume.shape[2] % MULTIPLE))


def _percentile(volume: Tensor) -> float:
    some = volume.flatten()[::STRIDE]
    return max(1e-3, float(some.kthvalue(max(1, int(PERCENTILE * len(some)))).values))


def _plain(tensor: Tensor) -> Tensor:
    """The tensor without its metadata."""
    return tensor.as_tensor() if hasattr(tensor, "as_tensor") else tensor


def _sagittal(inputs: Tensor) -> bool:
    """Whether the slices of a volume are sagittal, as they are where nothing is said."""
    plane = getattr(inputs, "meta", {}).get(PLANE, "sagittal")
    return bool((plane if isinstance(plane, str) else plane[0]) == "sagittal")
