# SPDX-License-Identifier: Apache-2.0
"""From a volume, as a user has it, to a head as detectors see it, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Orientation, ResampleToMatch, Spacing
from torch import Tensor

from ..anatomy.domain import RULES
from ..transforms import PLANE_AXCODES, CheckVolumed, LoadVolumed, ScaleIntensityByVolumePercentiled
from ..transforms.domain import STRIPPED, NoteDomaind
from ..transforms.load_volume import WARNINGS
from .detector import WORKING_MM, Head

__all__ = ["GivenHead", "WorkingGrid"]

DOMAIN = {
    "coarse voxels in every plane",
    "a slab: less than 100 mm along an axis",
    "not a head's size",
    "few different values",
    "intensities unlike those of T1-weighted heads",
}
"""Rules of what a map must not be trusted for; planes and stripped heads make no difference here."""
LEAST_ML = 50.0
"""Volume below which a mask shows no brain; that of adults is above 900 ml."""


@dataclass(frozen=True)
class GivenHead:
    """A head on its own grid and on that of the detectors.

    Attributes:
        head: as detectors see it.
        brain: mask ``(1, X, Y, Z)`` on the volume's own grid, boolean.
        warnings: what the volume has that the heads of the training had not.
        skull_stripped: whether it shows a brain alone.
    """

    head: Head
    brain: MetaTensor
    warnings: list[str]
    skull_stripped: bool

    def on_own_grid(self, values: Tensor, mode: str = "bilinear") -> Tensor:
        """Bring values of the head's voxels to the volume's own grid, ``(X, Y, Z)``; 0 outside of the brain.

        Args:
            values: shape of the head's image.
            mode: ``bilinear`` or ``nearest``.
        """
        given = MetaTensor(values[None].float(), affine=torch.as_tensor(self.head.affine))
        resampled = ResampleToMatch(mode=mode, padding_mode="border")(given, self.brain)
        return (_plain(resampled) * _plain(self.brain))[0]


class WorkingGrid:
    """Loads volumes and brings them to 2 mm, inferior-posterior-right.

    Args:
        find_brain: function from a volume to its brain mask, for volumes that come without one.
    """

    def __init__(self, find_brain: Callable[[MetaTensor], MetaTensor]) -> None:
        self.find_brain = find_brain
        self.load = Compose([LoadVolumed("image"), CheckVolumed("image")])
        self.scale = ScaleIntensityByVolumePercentiled("image")
        self.turn = Orientation(PLANE_AXCODES["sagittal"], labels=None)
        self.note = NoteDomaind("image", rules=[rule for rule in RULES if rule.what in DOMAIN])
        self.resample = Spacing(WORKING_MM, diagonal=False, dtype=np.float32)

    def __call__(self, volume: MetaTensor, brain: MetaTensor | None = None) -> GivenHead:
        """Bring a volume to the grid of the detectors.

        Args:
            volume: ``(1, X, Y, Z)`` with its affine, any unit.
            brain: brain mask with its affine, on any grid; by default it is found.

        Raises:
            ValueError: the mask shows no brain, or none is found, or the volume has no contrast.
        """
        mask = self.find_brain(volume) if brain is None else self.on_grid_of(volume, brain)
        item = self.note(self.scale({"image": self.turn(volume)}))
        image: Any = self.resample(item["image"])
        numbers = MetaTensor(_plain(mask).float(), affine=mask.affine)
        inside = _plain(ResampleToMatch(mode="bilinear", padding_mode="zeros")(numbers, image))[0] > 0.5
        millilitres = float(inside.sum()) * WORKING_MM**3 / 1000
        if millilitres < LEAST_ML:
            raise ValueError(
                f"the brain mask has {millilitres:.0f} ml within the volume, at least {LEAST_ML:g} ml are needed: give "
                "the mask of this head, with its affine."
            )
        affine = np.asarray(image.affine, dtype=np.float64)
        head = Head(_plain(image)[0].float().contiguous(), inside, affine)
        return GivenHead(head, mask, item[WARNINGS].splitlines(), bool(item[STRIPPED]))

    @staticmethod
    def on_grid_of(volume: MetaTensor, mask: MetaTensor) -> MetaTensor:
        """A mask, or numbered regions, on the grid of a volume: of each voxel, the nearest."""
        found = _plain(mask).float()
        if mask.shape != volume.shape or not torch.allclose(mask.affine, volume.affine, atol=1e-3):
            numbers = MetaTensor(found, affine=mask.affine)
            found = _plain(ResampleToMatch(mode="nearest", padding_mode="zeros")(numbers, volume))
        return MetaTensor(found, affine=volume.affine)


def _plain(volume: Tensor) -> Tensor:
    """The voxels without metadata."""
    return volume.as_tensor() if isinstance(volume, MetaTensor) else volume
