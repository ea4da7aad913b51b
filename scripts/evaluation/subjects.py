# SPDX-License-Identifier: Apache-2.0
"""The relevant slices of a test subject, with the regions in which they are scored.

Subjects are read one at a time, when their turn comes.
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
from ..corruptions import Corruption, VolumeCorruption
from ..corruptions.undersampling import Acquisition
from ..data.slices import subject_key
from ..files.errors import failure_reason

__all__ = ["SubjectDataset", "SubjectSlices", "subject_slices"]


@dataclass(frozen=True)
class SubjectSlices:
    """Clean slices in network space.

    Attributes:
        subject: name of the subject.
        indices: indices of the slices in the volume, shape ``(N,)``.
        target: clean slices, shape ``(N, 1, H, W)``, 1 = the volume's 99.5th percentile.
        regions: boolean masks, the shape of ``target``: ``head``, and ``brain`` where a label or mask is known.
        volume: the clean volume from which the slices are, shape ``(1, 1, H, W, D)``, for damage of whole volumes.
        brain: mask of the brain, where known, shape of ``volume``.
    """

    subject: str
    indices: Tensor
    target: Tensor
    regions: dict[str, Tensor]
    volume: Tensor | None = None
    brain: Tensor | None = None

    def pair(self, corruption: Corruption) -> tuple[Tensor, Tensor]:
        """Damaged slices and their target; the draws depend on the subject and the slice, never on the batch."""
        if isinstance(corruption, VolumeCorruption):
            damaged, target = corruption.pair(self._whole(), self._volume_keys())
            return self._kept(damaged), self._kept(target) if corruption.background else self.target
        return corruption.pair(self.target, self._keys())

    def damage(self, corruption: Corruption) -> Tensor:
        """The damaged slices of :meth:`pair`."""
        return self.pair(corruption)[0]

    def holes(self, corruption: Corruption) -> Tensor | None:
        """Mask of what :meth:`damage` erases, shape of ``target``; ``None`` if the damage has no holes."""
        if isinstance(corruption, VolumeCorruption):
            mask = corruption.hole_mask(self._whole(), self._volume_keys())
            return None if mask is None else self._kept(mask)
        return corruption.hole_mask(self.target, self._keys())

    def acquisition(self, corruption: Corruption) -> Acquisition | None:
        """What :meth:`damage` leaves of each slice's k-space; ``None`` if the damage does not undersample it."""
        if not isinstance(corruption, VolumeCorruption):
            return corruption.acquisition(self.target, self._keys())
        found = corruption.acquisition(self._whole(), self._volume_keys())
        if found is None:
            return None
        kspace = found.kspace[0, self.indices, None]  # (N, 1, H, W, 2)
        return Acquisition(kspace, found.measured.expand(len(kspace), -1, -1, -1))

    def with_holes(self, holes: Tensor | None, target: Tensor | None = None) -> dict[str, Tensor]:
        """The regions and, if there are any, the ``hole``: erased pixels of the head that are not 0 in the target."""
        there = (self.target if target is None else target) != 0
        erased = None if holes is None else holes & there & self.regions["head"]
        return self.regions if erased is None or not erased.any() else {**self.regions, "hole": erased}

    def _keys(self) -> dict[str, Tensor | int]:
        subject = torch.full_like(self.indices, subject_key(self.subject))
        return {"subject": subject, "slice": self.indices, "epoch": 0}

    def _whole(self) -> Tensor:
        if self.volume is None:
            raise ValueError(f"{self.subject}: damage of whole volumes needs the volume, not only its slices.")
        return self.volume

    def _volume_keys(self) -> dict[str, Tensor | int]:
        subject = torch.tensor([subject_key(self.subject)], device=self.target.device)
        keys: dict[str, Tensor | int] = {"subject": subject, "slice": 0, "epoch": 0}
        return keys if self.brain is None else {**keys, "brain": self.brain}

    def _kept(self, volume: Tensor) -> Tensor:
        return volume[0, 0][..., self.indices].permute(2, 0, 1)[:, None].contiguous()


def subject_slices(item: Mapping[str, Any], device: torch.device | str = "cpu") -> SubjectSlices:
    """Cut a transformed item into its relevant slices.

    Args:
        item: item with ``image`` ``(1, H, W, D)`` in network space, ``subject``, ``slices`` (indices along the last
            axis) and, where known, ``label`` (region labels, closed and filled) or ``mask`` (of the brain),
            ``(1, H', W', D)``.
        device: device of the slices.

    Returns:
        The slices and their regions. The head mask is that of the whole clean volume.

    Raises:
        ValueError: the item lists no slices, or one outside the volume.
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
        volume=volume[None, None].to(device),
        brain=_fit(masks["brain"], volume)[None, None].to(device) if "brain" in masks else None,
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
