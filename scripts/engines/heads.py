# SPDX-License-Identifier: Apache-2.0
"""``prepare_batch`` functions for whole volumes: restoration and fill, brain masks, anomalies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..corruptions import Draws, RandAnomalies, VolumeCorruption, graded_pair
from ..corruptions.background import dilated
from ..corruptions.parameters import damage_chosen, per_image
from ..repairs import repair
from .batches import CorruptBatch
from .variants import RandVariants

__all__ = ["AnomalyBatch", "BrainMaskBatch", "RestorationBatch"]

PERCENTILE = 0.995
STRIDE = 11
"""Every how many voxels one counts for the percentile."""
ORIENTATIONS = ((0, 1, 2), (0, 2, 1), (1, 2, 0))
"""Axes of a volume as rows, columns and slices."""
MOST_REPEATS = 1024
"""More than an epoch shows a head."""
MULTIPLE = 8
"""Divisor of rows and columns."""
TISSUE, AIR_WEIGHT = 0.08, 0.1
"""Intensity of the target from which voxels count fully, and how much the others count."""


class _HeadBatch(CorruptBatch):
    """What the batches of whole volumes share.

    Args:
        corruption: damage of the volumes.
        variants: variation of the healthy heads in training; validation has them as they are.
        other_plane_prob: probability that a batch is cut into slices along another axis.
    """

    corruption: VolumeCorruption

    def __init__(
        self, corruption: VolumeCorruption, variants: RandVariants | None = None, other_plane_prob: float = 0.25
    ) -> None:
        super().__init__(corruption)
        self.variants = variants
        self.other_plane_prob = other_plane_prob
        self.training = False

    def attach(self, engine: Any) -> None:
        """Follow the epochs of ``engine``, a trainer."""
        super().attach(engine)
        self.training = True

    def _heads(
        self, batchdata: Mapping[str, Tensor], device: torch.device, non_blocking: bool
    ) -> tuple[Tensor, Tensor | None, dict[str, Any], Draws]:
        """Heads, their brains, keys and draws."""
        batch = {name: value.to(device, non_blocking=non_blocking) for name, value in batchdata.items()}
        heads, brain = batch["image"], batch.get("brain")
        epoch = self.epoch * MOST_REPEATS + batch["repeat"]
        keys: dict[str, Any] = {"subject": batch["subject"], "slice": torch.zeros_like(epoch), "epoch": epoch}
        draws = Draws(self.corruption.seed, keys)
        if self.training and self.variants is not None:
            heads, brain = self.variants(heads, brain, draws)
        heads, brain = self._turned(self._plane(), heads, brain)
        return heads, brain, keys if brain is None else {**keys, "brain": brain}, draws

    def _plane(self) -> tuple[int, ...]:
        if not self.training or float(torch.rand(())) >= self.other_plane_prob:
            return ORIENTATIONS[0]
        return ORIENTATIONS[int(torch.randint(len(ORIENTATIONS), ()))]

    @staticmethod
    def _turned(axes: tuple[int, ...], *volumes: Tensor | None) -> list[Any]:
        """Volumes with their axes in another order, padded with zeros to a multiple of 8."""
        turned = []
        for volume in volumes:
            if volume is not None:
                volume = volume.permute(0, 1, *(axis + 2 for axis in axes)).contiguous()
                volume = F.pad(volume, (0, 0, 0, -volume.shape[3] % MULTIPLE, 0, -volume.shape[2] % MULTIPLE))
            turned.append(volume)
        return turned

    def _scale(self, images: Tensor, draws: Draws) -> Tensor:
        """What brings the 99.5th percentile of damaged images to 1, not quite exactly in training, ``(B, 1, ...)``."""
        some = images.flatten(1)[:, ::STRIDE]
        high = some.kthvalue(max(1, int(PERCENTILE * some.shape[1])), dim=1).values
        jitter = draws.uniform("heads.scale", -0.05, 0.05).exp() if self.training else 1.0
        return per_image(jitter / high.clamp(min=1e-3), images)


class RestorationBatch(_HeadBatch):
    """Damaged heads and a mask of what was filled in them; the target is the clean head with a weight for each voxel.

    Damage that a formula undoes is undone, as in inference, and the volumes are scaled by their own percentile.

    Args:
        corruption: damage of the volumes.
        lesions: anomalies that a restorer must leave alone.
        lesions_prob: probability that a volume has some.
        variants: see the base class.
        other_plane_prob: see the base class.
        other_damage_prob: probability that a batch is damaged in another plane than the one it is cut along.
    """

    def __init__(
        self,
        corruption: VolumeCorruption,
        lesions: RandAnomalies | None = None,
        lesions_prob: float = 0.3,
        variants: RandVariants | None = None,
        other_plane_prob: float = 0.25,
        other_damage_prob: float = 0.2,
    ) -> None:
        super().__init__(corruption, variants, other_plane_prob)
        self.lesions, self.lesions_prob = lesions, lesions_prob
        self.other_damage_prob = other_damage_prob

    @torch.no_grad()
    def __call__(  # type: ignore[override]  # MONAI's engines take arguments of the network as well
        self, batchdata: Mapping[str, Tensor], device: torch.device, non_blocking: bool = False, **kwargs: Any
    ) -> tuple[Tensor, Tensor, tuple[()], dict[str, Tensor]]:
        """Input, image and mask of what was filled; target, image and weight, both ``(B, 2, H, W, D)``; ``levels``."""
        heads, _, keys, draws = self._heads(batchdata, device, non_blocking)
        if self.training and self.lesions is not None:
            rows = draws.uniform("heads.lesions") < self.lesions_prob
            heads = damage_chosen(heads, rows, self._with_lesions, draws)
        damaged, clean, levels = self._graded(heads, keys)
        damaged, filled, *_ = repair(damaged)
        scale = self._scale(damaged, draws)
        damaged, clean = damaged * scale, clean * scale
        if self.training:
            offset = per_image(draws.uniform("heads.offset", -0.01, 0.01), heads)
            damaged, clean = (torch.where(part == 0, 0.0, part + offset) for part in (damaged, clean))
        weight = torch.where(clean > TISSUE, 1.0, AIR_WEIGHT)
        images, targets = torch.cat([damaged, filled.float()], dim=1), torch.cat([clean, weight], dim=1)
        return images, targets, (), {"levels": levels}

    def _with_lesions(self, heads: Tensor, draws: Draws) -> Tensor:
        return self.lesions.sample(heads, draws, donors=heads.roll(1, 0))[0] if self.lesions is not None else heads

    def _graded(self, heads: Tensor, keys: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        if not self.training or float(torch.rand(())) >= self.other_damage_prob:
            return graded_pair(self.corruption, heads, keys)
        moved = {**keys, **({"brain": keys["brain"].movedim(-1, 2)} if "brain" in keys else {})}
        damaged, clean, levels = graded_pair(self.corruption, heads.movedim(-1, 2), moved)
        return damaged.movedim(2, -1), clean.movedim(2, -1), levels


class BrainMaskBatch(_HeadBatch):
    """Varied and damaged heads, whole or stripped, whose target is the brain mask."""

    def __call__(
        self, batchdata: Mapping[str, Tensor], device: torch.device, non_blocking: bool = False, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Image and brain mask, both ``(B, 1, H, W, D)``, and float32."""
        heads, brain, keys, draws = self._heads(batchdata, device, non_blocking)
        damaged, clean = self.corruption.pair(heads, keys)
        damaged = damaged * self._scale(damaged, draws)
        target = brain & (clean != 0) if brain is not None else clean > TISSUE
        return damaged, target.float()


class AnomalyBatch(_HeadBatch):
    """Heads with synthetic anomalies; the target is the head without them and where they are.

    Args:
        corruption: damage of the volumes, which is no anomaly.
        anomalies: what is put into the heads.
        variants: see the base class.
        other_plane_prob: see the base class.
        strip_prob: probability that all but the brain is set to zero.
        margin: voxels around the brain that count too.
    """

    def __init__(
        self,
        corruption: VolumeCorruption,
        anomalies: RandAnomalies,
        variants: RandVariants | None = None,
        other_plane_prob: float = 0.25,
        strip_prob: float = 0.4,
        margin: int = 1,
    ) -> None:
        super().__init__(corruption, variants, other_plane_prob)
        self.anomalies, self.strip_prob, self.margin = anomalies, strip_prob, margin

    def __call__(
        self, batchdata: Mapping[str, Tensor], device: torch.device, non_blocking: bool = False, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Image ``(B, 1, H, W, D)``, and healthy image and anomaly, ``(B, 2, H, W, D)``.

        The anomaly is a weight from 0 to 1, and -1 outside of the brain.
        """
        heads, brain, keys, draws = self._heads(batchdata, device, non_blocking)
        if brain is None:
            brain = heads > TISSUE
        changed, anomaly, _ = self.anomalies.sample(heads, draws, brain=brain, donors=heads.roll(1, 0))
        damaged, _ = self.corruption.pair(changed, keys)
        strip = per_image(draws.uniform("heads.strip") < self.strip_prob, heads)
        near = dilated(brain, [self.margin] * 3)
        lost = strip & ~near
        scale = self._scale(damaged, draws)
        damaged, healthy = (damaged * scale).masked_fill(lost, 0.0), (heads * scale).masked_fill(lost, 0.0)
        anomaly = anomaly.masked_fill(~near, -1.0)
        return damaged, torch.cat([healthy, anomaly], dim=1)
