# SPDX-License-Identifier: Apache-2.0
"""What restoration does to one head: known damage is put into this very head, and restored in the same way."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor, affine_to_spacing
from monai.transforms import Orientation
from numpy.typing import NDArray
from torch import Tensor

from ..anatomy.head_mask import head_mask
from ..evaluation.conditions import make_conditions
from ..evaluation.lesions import put_lesions
from ..inference.brain_mask import BrainMasker
from ..inference.restorer import Restorer
from ..inference.volume_inferer import VolumeInferer
from ..metrics.restoration import peak_signal_to_noise_ratio
from ..transforms.plane import PLANE_AXCODES
from ..transforms.volume_scale import volume_range

__all__ = ["AMBER", "GREEN", "HOLES", "LESIONS", "NOISE", "RED", "RULE", "SEVERITY", "SelfTest", "self_test"]

GREEN, AMBER, RED = "green", "amber", "red"
NOISE, HOLES, SEVERITY = "rician_noise", "some_holes", 3
AT_ONCE = 16
"""Slices that are damaged at a time."""
LESIONS: dict[str, Any] = {"number": (2, 2), "diameter_mm": (6.0, 16.0), "contrast": (0.15, 0.35)}
"""Of each sign."""
WORSE_DB = 0.05
LEAST_GAIN_DB, LEAST_RECOVERED, MOST_LOST, MOST_IN_NOISE = 0.3, 0.5, 0.03, 0.06
RULE = (
    "Red: the volume lies outside of the training; or a damaged copy came back worse than it went in (more than "
    f"{WORSE_DB:g} dB, or a larger error inside the holes); or the lesions lost more than {100 * MOST_LOST:g} % of "
    f"their contrast, those in noise more than {100 * MOST_IN_NOISE:g} %. Amber: less than {LEAST_GAIN_DB:g} dB is "
    f"gained on the noise, less than {100 * LEAST_RECOVERED:g} % of the error of the holes is undone, the lesions "
    f"gained or, in noise, lost more than {100 * MOST_LOST:g} %, or a test could not be made. Green: none of these."
)


@dataclass(frozen=True)
class SelfTest:
    """How a head with known damage comes back.

    Attributes:
        outside: whether the gate calls the head itself outside of the training; it was switched off for the tests.
        noise_db: PSNR inside the head with noise, before and after the restoration.
        holes_recovered: share of the squared error inside the holes that was undone; ``None`` without a hole.
        contrast_kept: share of their contrast that lesions keep; ``None`` where there is no room for any.
        contrast_kept_in_noise: likewise, of those in the volume with noise.
    """

    outside: bool
    noise_db: tuple[float, float]
    holes_recovered: float | None
    contrast_kept: float | None
    contrast_kept_in_noise: float | None

    @property
    def kept(self) -> list[float]:
        """Both shares of the contrast, as far as they are known."""
        return [one for one in (self.contrast_kept, self.contrast_kept_in_noise) if one is not None]

    def judged(self) -> tuple[str, list[str]]:
        """``red``, ``amber`` or ``green`` by :data:`RULE`, and why."""
        gain = self.noise_db[1] - self.noise_db[0]
        holes = math.nan if self.holes_recovered is None else self.holes_recovered
        alone, noisy = (1.0 if one is None else one for one in (self.contrast_kept, self.contrast_kept_in_noise))
        red = {
            "the volume lies outside of the training": self.outside,
            f"noise is made worse by {-gain:.1f} dB": gain < -WORSE_DB,
            "holes are filled with something worse than nothing": holes < 0,
            f"lesions lose {100 - 100 * alone:.1f} % of their contrast": alone < 1 - MOST_LOST,
            f"lesions in noise lose {100 - 100 * noisy:.1f} % of their contrast": noisy < 1 - MOST_IN_NOISE,
        }
        amber = {
            f"of the noise {gain:.1f} dB are undone": -WORSE_DB <= gain < LEAST_GAIN_DB,
            f"of the error of the holes {100 * holes:.0f} % is undone": 0 <= holes < LEAST_RECOVERED,
            f"lesions in noise lose {100 - 100 * noisy:.1f} % of contrast": noisy < 1 - MOST_LOST,
            f"lesions gain {100 * max(self.kept, default=1) - 100:.1f} % of contrast": any(
                one > 1 + MOST_LOST for one in self.kept
            ),
            "no hole fell into the head": self.holes_recovered is None,
            "there was no room for a lesion": not self.kept,
        }
        for color, reasons in ((RED, red), (AMBER, amber)):
            found = [reason for reason, holds in reasons.items() if holds]
            if found:
                return color, found
        return GREEN, ["known damage is undone, and lesions are kept"]

    def facts(self) -> dict[str, Any]:
        """For ``report.json``."""
        rounded = {
            name: [round(one, 2) for one in value] if isinstance(value, tuple) else round(value, 3)
            for name, value in asdict(self).items()
            if value is not None and name != "outside"
        }
        return {"judgement": self.judged()[0], **rounded}


def self_test(
    restorer: Restorer, volume: MetaTensor, masker: BrainMasker, outside: bool = False, seed: int = 0
) -> SelfTest:
    """Put noise, holes and lesions into a head, and restore each.

    Three restorations: of the head with lesions and Rician noise, with holes in slices, and with lesions alone.

    Args:
        restorer: what restored the head.
        volume: head ``(1, X, Y, Z)`` with its affine, as good as it is known.
        masker: says where the brain is, in which lesions lie.
        outside: whether the gate calls it outside; the tests are then made without the gate.
        seed: of all damage.
    """
    head = cast(MetaTensor, Orientation(PLANE_AXCODES["sagittal"], labels=None)(volume))
    low, high = volume_range(head)
    clean = (head.as_tensor()[0].float() - low) / (high - low)
    inside = torch.from_numpy(head_mask(clean))
    lesioned, lesions = _with_lesions(clean, _brain(masker, head), affine_to_spacing(head.affine).tolist(), seed)
    restoring = _without_uncertainty(restorer, outside)

    def restored(damaged: Tensor) -> Tensor:
        image = nib.Nifti1Image((damaged * (high - low) + low).numpy(), np.asarray(head.affine, dtype=np.float64))
        result = restoring.restored_item(image)["pred"].as_tensor()[0].cpu().float()
        return (result - low) / (high - low)

    noisy = _in_slices(lesioned, seed, NOISE)
    result = restored(noisy)
    noise_db = (_psnr(noisy, lesioned, inside), _psnr(result, lesioned, inside))
    in_noise = _kept(result, noisy, clean, lesions)
    del noisy
    alone = _kept(restored(lesioned), lesioned, clean, lesions) if lesions.any() else None
    del lesioned
    holes = _in_slices(clean, seed, HOLES, "hole_mask") & inside
    recovered = None
    if holes.any():
        left = (restored(clean.masked_fill(holes, 0.0)) - clean)[holes].square().sum()
        recovered = 1 - float(left / clean[holes].square().sum().clamp(min=1e-12))
    return SelfTest(outside, noise_db, recovered, alone, in_noise)


def _without_uncertainty(restorer: Restorer, outside: bool) -> Restorer:
    """The same restorer; the gate is switched off where it would let nothing pass."""
    same = copy.copy(restorer)
    if isinstance(same.inferer, VolumeInferer):
        same.inferer = VolumeInferer(same.inferer.spacing_mm, None if outside else same.inferer.gate)
    return same


def _brain(masker: BrainMasker, head: MetaTensor) -> NDArray[np.bool_]:
    """Where lesions may lie; nowhere, if no brain is found."""
    try:
        return np.asarray(masker(head))[0] > 0
    except ValueError:
        return np.zeros(head.shape[1:], dtype=bool)


def _with_lesions(
    clean: Tensor, brain: NDArray[np.bool_], spacing_mm: Sequence[float], seed: int
) -> tuple[Tensor, Tensor]:
    """The head with bright and dark lesions, and their mask, in which each has a number."""
    lesioned, numbers = clean.clone(), torch.zeros(clean.shape, dtype=torch.uint8)
    if brain.any():
        where = np.argwhere(brain)
        box = tuple(slice(low, high + 1) for low, high in zip(where.min(axis=0), where.max(axis=0), strict=True))
        free = brain[box].copy()
        for kind in ("bright", "dark"):
            image, found, _ = put_lesions(lesioned[box].numpy(), free, kind, seed, spacing_mm=spacing_mm, **LESIONS)
            lesioned[box] = torch.from_numpy(image)
            numbers[box] += torch.from_numpy(np.where(found > 0, found + int(numbers.max()), 0).astype(np.uint8))
            free &= np.abs(image - clean[box].numpy()) == 0
    return lesioned, numbers


def _in_slices(clean: Tensor, seed: int, kind: str, damage: str = "__call__") -> Tensor:
    """What a method of a kind of damage makes of the slices, some at a time, which bounds the memory."""
    (condition,) = make_conditions([kind], [SEVERITY], seed)
    slices = clean.permute(2, 0, 1)[:, None]
    made = [
        getattr(condition.corruption, damage)(
            slices[first : first + AT_ONCE],
            {
                "subject": torch.zeros(len(slices[first : first + AT_ONCE]), dtype=torch.long),
                "slice": torch.arange(first, min(first + AT_ONCE, len(slices))),
                "epoch": 0,
            },
        )
        for first in range(0, len(slices), AT_ONCE)
    ]
    return torch.cat(made)[:, 0].permute(1, 2, 0)


def _kept(volume: Tensor, damaged: Tensor, clean: Tensor, numbers: Tensor) -> float | None:
    """Mean change of the cores of the lesions in a restored volume, as a share of that in what was restored."""
    made, left = 0.0, 0.0
    for number in range(1, int(numbers.max()) + 1):
        core = numbers == number
        change = float((damaged - clean)[core].mean())
        made += abs(change)
        left += math.copysign(1.0, change) * float((volume - clean)[core].mean())
    return left / made if made else None


def _psnr(volume: Tensor, clean: Tensor, inside: Tensor) -> float:
    return peak_signal_to_noise_ratio(float((volume - clean)[inside].square().mean(dtype=torch.float64)))
