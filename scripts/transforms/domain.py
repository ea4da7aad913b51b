# SPDX-License-Identifier: Apache-2.0
"""Note what a volume has that the training of the shipped network had not, see :mod:`scripts.anatomy.domain`."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from ..anatomy.domain import RULES, Facts, Rule, facts_of, notes
from .load_volume import WARNINGS
from .plane import PLANE
from .volume_scale import applied_range

__all__ = ["STRIPPED", "NoteDomaind", "noted_facts"]

STRIPPED = "skull_stripped"
"""Key of an item: whether its head looks skull-stripped."""


class NoteDomaind(MapTransform):
    """Note in an item's ``warnings`` what its volume has that the training had not.

    Args:
        keys: volumes ``(1, H, W, D)`` after ``OrientToPlaned`` and ``ScaleIntensityByVolumePercentiled``.
        coarsest_mm: pixel size up to which nothing is interpolated.
        allow_missing_keys: skip a key that is absent.
        rules: what is noted.
    """

    def __init__(
        self,
        keys: KeysCollection,
        coarsest_mm: float = 8 / 3,
        allow_missing_keys: bool = False,
        rules: Sequence[Rule] = RULES,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.coarsest_mm, self.rules = coarsest_mm, rules

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return ``data`` with what was noted; the volumes are not changed."""
        d = dict(data)
        for key in self.key_iterator(d):
            facts = noted_facts(d[key], self.coarsest_mm)
            d[WARNINGS] = "\n".join(filter(None, [d.get(WARNINGS, ""), *notes(facts, self.rules)]))
            d[STRIPPED] = facts.stripped
        return d


def noted_facts(volume: MetaTensor, coarsest_mm: float = 8 / 3) -> Facts:
    """What the rules look at.

    Args:
        volume: ``(1, H, W, D)`` after ``ScaleIntensityByVolumePercentiled``.
        coarsest_mm: pixel size up to which nothing is interpolated.
    """
    found = applied_range(volume)
    hidden = None if found is None else found["hidden"][0].numpy()
    affine = np.asarray(volume.affine, dtype=float)
    plane = volume.meta.get(PLANE, "sagittal")
    return facts_of(volume.as_tensor()[0].numpy(), affine, hidden, plane, coarsest_mm)
