# SPDX-License-Identifier: Apache-2.0
"""The whole volumes of a cohort in one array, from which batches are taken by index."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from monai.data import affine_to_spacing
from monai.utils import convert_to_tensor
from torch import Tensor

from ..anatomy.brain_mask import brain_from_labels
from .slices import SliceDataset

__all__ = ["HeadDataset"]


class HeadDataset(SliceDataset):
    """Whole volumes of a cohort, as float16, with their brain masks.

    As :class:`~scripts.data.slices.SliceDataset` keeps slices: in a file that is mapped into memory, or on the GPU. An
    item's ``slices`` are not looked at.

    Args:
        data: items with ``image``, ``subject`` and, where it is known, ``mask`` or ``label``, as
            :func:`scripts.data.cohort.load_datalist` gives them.
        transform: transform from an item to a dictionary whose ``image`` has the shape ``(1, H, W, D)``.
        depth: slices of each volume; smaller volumes are padded with zeros, larger ones cropped, both centred.
        mask_transform: the same for ``mask``; by default masks are not read.
        repeats: how many times an epoch shows each volume, each time with other damage.
        **kwargs: arguments of :class:`~scripts.data.slices.SliceDataset`.

    Raises:
        ValueError: a file that cannot be read; ``depth`` is not positive; masks are wanted and an item has none.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Callable[[Any], Any],
        depth: int,
        mask_transform: Callable[[Any], Any] | None = None,
        repeats: int = 1,
        cache_dir: str | os.PathLike[str] = "",
        **kwargs: Any,
    ) -> None:
        if depth < 1:
            raise ValueError(f"depth must be a positive number of slices, got {depth}.")
        self.depth, self.repeats = depth, repeats
        items = [{**item, "slices": list(range(depth))} for item in data]
        super().__init__(items, transform, cache_dir=cache_dir, **kwargs)
        self.masks = None if mask_transform is None else self._masks(mask_transform)

    def _slices(self, item: Mapping[str, Any]) -> Tensor:
        try:
            volume = convert_to_tensor(self.transform(dict(item))["image"], track_meta=False)
        except Exception as error:  # readers raise what they like: name the file
            reason = str(error.__cause__ or error).splitlines()[0]
            raise ValueError(f"{item['image']} could not be read: {reason}") from error
        return _centred(volume, (*volume.shape[1:3], self.depth)).permute(3, 0, 1, 2).half().contiguous()

    def _masks(self, transform: Callable[[Any], Any]) -> Tensor:
        masks = []
        for item in self.data:
            path = item.get("mask") or item.get("label")
            if path is None:
                raise ValueError(f"{item['subject']} has no mask. Prepare the folder again with masks or labels.")
            volume = transform({"mask": path})["mask"]
            mask = convert_to_tensor(volume, track_meta=False) > 0
            if "mask" not in item:
                spacing_mm = affine_to_spacing(volume.affine).tolist()
                mask = torch.from_numpy(brain_from_labels(mask[0].numpy(), spacing_mm))[None]
            masks.append(_centred(mask, (*self.images.shape[2:], self.depth)))
        return torch.stack(masks).to(self.images.device)  # (N, 1, H, W, D)

    def __len__(self) -> int:
        return self.repeats * len(self.data)

    def __getitems__(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """A whole batch of volumes.

        Args:
            indices: numbers of the volumes.

        Returns:
            ``image`` float32 and, where masks are read, boolean ``brain``, ``(B, 1, H, W, D)``; ``subject`` and
            ``repeat``, which counts from 0, ``(B,)`` integers.
        """
        numbers = torch.as_tensor(indices)
        rows = numbers % len(self.data)
        slices = (rows[:, None] * self.depth + torch.arange(self.depth)).flatten()
        images = super().__getitems__(slices.tolist())["image"].unflatten(0, (len(rows), self.depth))
        batch = {
            "image": images.permute(0, 2, 3, 4, 1),
            "subject": self.subjects[self._moved(rows * self.depth)],
            "repeat": self._moved(numbers // len(self.data)),
        }
        if self.masks is not None:
            batch["brain"] = self.masks.to(self.device)[rows.to(self.device)]
        return batch


def _centred(volume: Tensor, size: Sequence[int]) -> Tensor:
    """A volume ``(1, H, W, D)`` padded with zeros or cropped to ``size``, centred."""
    padding: list[int] = []
    for have, want in zip(volume.shape[:0:-1], reversed(size), strict=True):
        before = (want - have) // 2
        padding += [before, want - have - before]
    return F.pad(volume, padding)
