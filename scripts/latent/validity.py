# SPDX-License-Identifier: Apache-2.0
"""``validity.csv``: shares of plausible masks before and after correction in the latent space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ..metrics import mean_dice
from ..tissue import (
    CRITERIA,
    DAMAGES,
    TISSUES,
    AnatomicalCriteria,
    Correction,
    ValidBank,
    correct_masks,
    damage_masks,
    least_change,
)
from ..tissue.datasets import one_hot
from .nearest import nearest_masks
from .space import TissueSpace

__all__ = ["Validity"]

NEAREST = 50
"""Number of nearest training masks in which a plausible one is sought."""
SHOWN = 12
"""Number of masks of each kind that are kept for pictures."""


class Validity:
    """Judge and correct masks of every kind, by criteria learned from the label slices of the training subjects.

    Args:
        space: latent space of a trained recipe and a cohort.
        bank_size: number of codes from the Parzen window that join the training codes in the bank.
        rng: random number generator.

    Attributes:
        criteria: criteria with their bounds.
        bank: codes to move implausible masks towards.
        rows: rows of the table, one per kind of masks.
        shown: implausible masks and their corrections for pictures: for each kind the stages, each ``(n, H, W)``.
    """

    def __init__(self, space: TissueSpace, bank_size: int, rng: np.random.Generator) -> None:
        self.space = space
        self.criteria = AnatomicalCriteria.learn(space.masks["training"].tissue, whole_heads=False)
        codes = np.concatenate([space.window.codes, space.window.sample(bank_size, rng)])
        self.bank = ValidBank(codes, space.model.decode, self.criteria)
        self.rows: list[dict[str, Any]] = []
        self.shown: dict[str, dict[str, NDArray[np.uint8]]] = {}

    def table(self) -> pd.DataFrame:
        """``validity.csv``."""
        return pd.DataFrame(self.rows)

    def judge_held_out(self, count: int, rng: np.random.Generator) -> None:
        """Judge labels of the held-out subjects, their reconstructions, and artificially damaged labels.

        Args:
            count: number of slices, drawn without replacement; all if there are fewer.
            rng: random number generator.
        """
        tissue = self.space.masks[self.space.part].tissue
        chosen = np.sort(rng.permutation(len(tissue))[:count])
        labels, levels = tissue.classes[chosen], tissue.level[chosen]
        for name, masks in {
            "labels": labels,
            "reconstructions": self.space.model.decode(self.space.codes[self.space.part][chosen]),
        }.items():
            self._add(name, masks, self._corrected(masks, levels), levels)
        self._judge_damaged(labels, levels, rng)

    def judge_drawn(self, drawn: Mapping[str, NDArray], count: int) -> None:
        """Judge decoded codes, each at the estimated level of its mask.

        Args:
            drawn: codes ``(N, K)`` by the name of their source.
            count: number of codes of each source.
        """
        for name, codes in drawn.items():
            masks = self.space.model.decode(codes[:count])
            levels = self.space.apparent_level(masks)
            self._add(name, masks, self._corrected(masks, levels), levels)

    def _judge_damaged(self, labels: NDArray[np.uint8], levels: NDArray[np.float64], rng: np.random.Generator) -> None:
        damaged, kinds = damage_masks(labels, self.space.masks[self.space.part].tissue.spacing_mm, rng)
        correction = self._corrected(damaged, levels)
        changed = np.flatnonzero(~correction.was_valid & correction.valid)
        repaired = correction.masks.copy()
        repaired[changed] = least_change(
            damaged[changed], self.space.model.probabilities(correction.codes[changed]), self.criteria, levels[changed]
        )
        remaining = np.flatnonzero(~correction.valid)
        repaired[remaining] = self._with_training_labels(damaged[remaining], levels[remaining])
        self._add("damaged segmentation, decoded", damaged, correction, levels, labels)
        self._add("damaged segmentation", damaged, correction, levels, labels, repaired)
        for kind in DAMAGES:
            of = kinds == kind
            if of.any():
                self._add(f"damaged: {kind}", damaged, correction, levels, labels, repaired, of)
        self.shown["damaged segmentation"] = {
            "label": labels[:SHOWN],
            "damaged": damaged[:SHOWN],
            "decoded": correction.masks[:SHOWN],
            "corrected": repaired[:SHOWN],
        }

    def _with_training_labels(self, masks: NDArray[np.uint8], levels: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Repair masks for which the bank has no plausible code at their level, with the nearest plausible real mask.

        Not in the paper, where the bank has a valid code for every slice. Masks without a plausible real mask among the
        nearest stay unchanged.
        """
        training = self.space.masks["training"].tissue.classes
        repaired = masks.copy()
        for row, (mask, level, nearest) in enumerate(
            zip(masks, levels, nearest_masks(masks, training, NEAREST)[0], strict=True)
        ):
            plausible = nearest[self.criteria.valid(training[nearest], np.full(len(nearest), level))]
            if len(plausible):
                shares = one_hot(torch.from_numpy(training[plausible[:1]])).numpy()
                repaired[row] = least_change(mask[None], shares, self.criteria, [level])[0]
        return repaired

    def _corrected(self, masks: NDArray[np.uint8], levels: NDArray[np.float64]) -> Correction:
        return correct_masks(masks, self.space.model.encode, self.space.model.decode, self.criteria, self.bank, levels)

    def _add(
        self,
        name: str,
        masks: NDArray[np.uint8],
        correction: Correction,
        levels: NDArray[np.float64],
        labels: NDArray[np.uint8] | None = None,
        corrected: NDArray[np.uint8] | None = None,
        of: NDArray[np.bool_] | None = None,
    ) -> None:
        """Add a row to the table, for the masks ``of`` or all."""
        after = correction.masks if corrected is None else corrected
        chosen = np.arange(len(masks)) if of is None else np.flatnonzero(of)
        before_passes = self.criteria.passes(self.criteria.measure(masks[chosen]), levels[chosen])
        after_passes = self.criteria.passes(self.criteria.measure(after[chosen]), levels[chosen])
        distance = correction.distance[chosen][~correction.was_valid[chosen] & correction.valid[chosen]]
        row: dict[str, Any] = {
            "masks": name,
            "n": len(chosen),
            "valid_before": before_passes.all(1).mean(),
            "valid_after": after_passes.all(1).mean(),
            "corrected": len(distance),
            "with_training_labels": int((after_passes.all(1) & ~correction.valid[chosen]).sum()),
            "distance_median": np.median(distance) if len(distance) else np.nan,
            "distance_90": np.quantile(distance, 0.9) if len(distance) else np.nan,
        }
        for when, given in {"before": masks, "after": after}.items():
            dice = np.nan if labels is None else mean_dice(given[chosen], labels[chosen], TISSUES.values()).mean()
            row[f"dice_{when}"] = dice
        for column, criterion in enumerate(CRITERIA):
            row[f"{criterion}_before"] = before_passes[:, column].mean()
            row[f"{criterion}_after"] = after_passes[:, column].mean()
        self.rows.append({key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()})
        if labels is None and len(distance):
            changed = np.flatnonzero(~correction.was_valid & correction.valid)[:SHOWN]
            self.shown[name] = {"before": masks[changed], "after": after[changed]}
