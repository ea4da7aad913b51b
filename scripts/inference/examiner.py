# SPDX-License-Identifier: Apache-2.0
"""The restorer's verdict on a volume without the restorer: fine, damaged, or outside of the training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from monai.data import MetaTensor
from monai.transforms import Compose

from ..anatomy.damage_kinds import KINDS
from ..networks import VerdictNet
from ..recipes.weights import load_weights
from ..transforms import OrientToPlaned, ScaleIntensityByVolumePercentiled, SpacingOnlyd
from .gate import Gate, Verdict
from .volume_inferer import VolumeInferer

__all__ = ["Examiner"]

WEIGHTS = Path(__file__).with_name("verdict.pt")
"""Those of the published restorer's verdict, by themselves: 60 times smaller."""
SPACING_MM, COARSEST_MM = 2.0, 8 / 3
"""As in ``configs/inference.yaml``."""


class Examiner:
    """Gives the verdict that the published restorer gives, without undoing a bias field first.

    It knows the damage of whole heads: of a skull-stripped one, only whether it lies outside is to be relied on.

    Args:
        weights: state dictionary of a verdict.
        gate: what decides by its levels; by default as in restoration.

    Raises:
        FileNotFoundError: there are no such weights.
        ValueError: they are those of another network.
    """

    def __init__(self, weights: str | Path = WEIGHTS, gate: Gate | None = None) -> None:
        self.verdict = load_weights(VerdictNet(kinds=len(KINDS)), weights).eval()
        self.inferer = VolumeInferer(SPACING_MM, gate)
        self.preprocessing = Compose(
            [
                OrientToPlaned("image", "auto", COARSEST_MM),
                ScaleIntensityByVolumePercentiled("image"),
                SpacingOnlyd(
                    "image",
                    pixdim=(SPACING_MM, SPACING_MM, -1),
                    min_pixdim=(0, 0, 0),
                    max_pixdim=(COARSEST_MM, COARSEST_MM, 1e6),
                    dtype=np.float32,
                ),
            ]
        )

    def __call__(self, volume: MetaTensor) -> Verdict:
        """Examine a volume.

        Args:
            volume: ``(1, X, Y, Z)`` with its affine, any unit.
        """
        return self.inferer.verdict_on(self.preprocessing({"image": volume.clone()})["image"][None], self)
