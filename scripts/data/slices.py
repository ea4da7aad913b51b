# SPDX-License-Identifier: Apache-2.0
"""The slices of a cohort in one array: volumes are read once, batches are taken by index."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

__all__ = ["SliceDataset", "batch_as_it_is", "subject_key"]


def subject_key(subject: str) -> int:
    """A number that stands for a subject in the draws of a corruption (CRC-32 of the name)."""
    return zlib.crc32(subject.encode())


def batch_as_it_is(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """``collate_fn`` for :class:`SliceDataset`, whose ``__getitems__`` gives whole batches."""
    return batch


class SliceDataset(Dataset):
    """Relevant slices of a cohort, held in memory as float16.

    ``transform`` makes a volume of each item, with the slices along its last axis; those named by the item are kept.
    Half precision is exact to 5e-4 of the intensity, so what it loses is below -66 dB. Subjects of different sizes are
    padded with zeros, centred, to the largest, rounded up to a multiple of ``multiple_of``.

    Args:
        data: items with ``image``, ``subject`` and ``slices`` (kept indices), as
            :func:`scripts.data.cohort.load_datalist` gives them.
        transform: from an item to a dictionary whose ``image`` has the shape ``(1, H, W, D)``.
        multiple_of: the networks need sizes divisible by 8.
        num_workers: threads that read volumes.
        progress: show a progress bar.

    Raises:
        ValueError: a file that cannot be read; an item that names no slices or one outside the volume.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Callable[[Any], Any],
        multiple_of: int = 8,
        num_workers: int = 2,
        progress: bool = True,
    ) -> None:
        self.data = list(data)
        self.transform = transform
        with ThreadPoolExecutor(max(1, num_workers)) as pool:
            reading = pool.map(self._slices, self.data)
            bar = tqdm(reading, desc="reading volumes", total=len(self.data), unit="volume", disable=not progress)
            volumes = list(bar)
        largest = [max(v.shape[axis] for v in volumes) for axis in (2, 3)]
        height, width = (-(-size // multiple_of) * multiple_of for size in largest)
        self.images = torch.cat([_centre_pad(volume, height, width) for volume in volumes])  # (N, 1, H, W)
        subjects = [
            torch.full((len(v),), subject_key(item["subject"])) for item, v in zip(self.data, volumes, strict=True)
        ]
        self.subjects = torch.cat(subjects)  # (N,)
        self.slices = torch.cat([torch.tensor(item["slices"], dtype=torch.int64) for item in self.data])  # (N,)

    def _slices(self, item: Mapping[str, Any]) -> Tensor:
        try:
            volume = torch.as_tensor(self.transform(dict(item))["image"])
        except Exception as error:  # readers raise what they like: name the file
            reason = str(error.__cause__ or error).splitlines()[0]
            raise ValueError(f"{item['image']} could not be read: {reason}") from error
        kept = item["slices"]
        if not kept or min(kept) < 0 or max(kept) >= volume.shape[-1]:
            raise ValueError(
                f"{item['subject']}: slices must be indices below {volume.shape[-1]}, got "
                f"{f'{min(kept)} to {max(kept)}' if kept else 'none'}. Make dataset.json again with scripts.prepare."
            )
        return volume[..., kept].permute(3, 0, 1, 2).half().contiguous()  # (slices, 1, H, W)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """One slice: ``image`` ``(1, H, W)`` float32, ``subject`` and ``slice`` integers."""
        return {name: values[0] for name, values in self.__getitems__([index]).items()}

    def __getitems__(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """A whole batch: ``image`` ``(B, 1, H, W)`` float32, ``subject`` and ``slice`` ``(B,)`` integers."""
        rows = torch.as_tensor(indices)
        return {"image": self.images[rows].float(), "subject": self.subjects[rows], "slice": self.slices[rows]}


def _centre_pad(slices: Tensor, height: int, width: int) -> Tensor:
    rows, columns = height - slices.shape[2], width - slices.shape[3]
    return F.pad(slices, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
