# SPDX-License-Identifier: Apache-2.0
"""The relevant slices of one test subject, with the regions in which they are scored.

FOLDED: The test subjects, read when their turn comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from monai.data import Dataset
from torch import Tensor

from ..anatomy.brain_mask import brain_from_labels
from ..anatomy.head_mask import head_mask
from ..corruptions import Corruption
from ..data.slices import subject_key
from ..files.errors import failure_reason

__all__ = ["SubjectDataset", "SubjectSlices", "subject_slices"]


@dataclass(frozen=True)
class SubjectSlices:
    """Clean slices in network space.

    Attributes:
        subject: name.
        indices: the slices' place in the volume, shape ``(N,)``.
        target: clean slices, shape ``(N, 1, H, W)``, 1 = the volume's 99.5th percentile.
        regions: boolean masks, the shape of ``target``: ``head``, and ``brain`` where a label or mask is known.
    """

    subject: str
    indices: Tensor
    target: Tensor
    regions: dict[str, Tensor]

    def damage(self, corruption: Corruption) -> Tensor:
        """Damage the slices; the draws depend on the subject and the slice, never on the batch."""
        return corruption(self.target, self._keys())

    def holes(self, corruption: Corruption) -> Tensor | None:
        """What :meth:`damage` erases, boolean in the shape of ``target``; ``None`` where the damage has no holes."""
        return corruption.hole_mask(self.target, self._keys())

    def with_holes(self, holes: Tensor | None) -> dict[str, Tensor]:
        """The regions and, where there are some, ``hole``: erased pixels of the head that were not zero before."""
        erased = None if holes is None else holes & (self.target != 0) & self.regions["head"]
        return self.regions if erased is None or not erased.any() else {**self.regions, "hole": erased}

    def _keys(self) -> dict[str, Tensor | int]:
        subject = torch.full_like(self.indices, subject_key(self.subject))
        return {"subject": subject, "slice": self.indices, "epoch": 0}


def subject_slices(item: Mapping[str, Any], device: torch.device | str = "cpu") -> SubjectSlices:
    """Cut a transformed item into its relevant slices.

    Args:
        item: ``image`` ``(1, H, W, D)`` in network space, ``subject``, ``slices`` (indices along the last axis) and,
            where known, ``label`` (region labels, closed and filled) or ``mask`` (of the brain), ``(1, H', W', D)``.
        device: where the slices go.

    Returns:
        The slices and their regions. The head mask is that of the whole clean volume.

    Raises:
        ValueError: the item names no slices, or one outside the volume.
    """
    volume = torch.as_tensor(item["image"])[0].float()  # (H, W, D)
    kept = list(item["slices"])
    if not kept or min(kept) < 0 or max(kept) >= volume.shape[-1]:
        raise ValueError(
            f"{item['subject']}: slices must be indices below {volume.shape[-1]}, got "
            f"{f'{min(kept)} to {max(kept)}' if kept else 'none'}. Prepare the folder again."
        )
    masks = {"head": torch.from_numpy(head_mask(volume))}
    if "label" in item:
        masks["brain"] = torch.from_numpy(brain_from_labels(torch.as_tensor(item["label"])[0].numpy()))
    elif "mask" in item:
        masks["brain"] = torch.as_tensor(item["mask"])[0] > 0
    return SubjectSlices(
        subject=str(item["subject"]),
        indices=torch.tensor(kept, dtype=torch.int64, device=device),
        target=_cut(volume, kept).to(device),
        regions={name: _cut(_fit(mask, volume), kept).to(device) for name, mask in masks.items()},
    )


def _cut(volume: Tensor, kept: list[int]) -> Tensor:
    return torch.as_tensor(volume)[..., kept].permute(2, 0, 1)[:, None].contiguous()  # (N, 1, H, W)


def _fit(mask: Tensor, volume: Tensor) -> Tensor:
    """Bring a mask to the in-plane size of the volume, which a fragment's transforms may have changed."""
    if mask.shape == volume.shape:
        return mask
    return F.interpolate(mask[None, None].float(), size=volume.shape, mode="nearest")[0, 0] > 0


class SubjectDataset(Dataset):
    """A MONAI dataset whose items are single subjects.

    Raises:
        ValueError: an item is asked for whose file cannot be read.
    """

    def _transform(self, index: int) -> Any:
        try:
            return super()._transform(index)
        except Exception as error:  # readers and transforms raise what they like: name the file
            raise ValueError(f"{self.data[index]['image']} could not be read: {failure_reason(error)}") from error
