# SPDX-License-Identifier: Apache-2.0
"""The volumes of a folder, read one by one, so that a bad one does not stop the others.

The next volume is read while the current one is restored.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from monai.data import Dataset, list_data_collate

from ..files.dicom import source_of
from ..files.dicom_derived import refused_source
from ..files.errors import failure_reason
from ..files.find_volumes import VOLUME_PATTERNS, find_volumes

__all__ = ["VOLUME_PATTERNS", "VolumeDataset", "VolumeLoader", "find_volumes", "no_dicom_result"]


def no_dicom_result(item: Mapping[str, str]) -> str:
    """Why no DICOM object can be derived from a volume; "" if one can.

    Args:
        item: item of :func:`find_volumes` without an error.
    """
    if not item["series"]:
        return "it is no DICOM series, of which alone DICOM results are made. Leave out --dicom."
    try:
        return refused_source(source_of(Path(item["image"]), item["series"]))
    except Exception as error:  # whatever its files make of the reader: it concerns this volume alone
        return failure_reason(error)


class VolumeDataset(Dataset):
    """Volumes that are loaded and transformed on access; a bad one becomes an item with an ``error``.

    Args:
        data: items of :func:`~scripts.files.find_volumes.find_volumes`.
        transform: preprocessing.
    """

    def __init__(self, data: Sequence[dict[str, str]], transform: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        super().__init__(data=data, transform=transform)

    def _transform(self, index: int) -> dict[str, Any]:
        item = dict(self.data[index])
        if item["error"]:
            return item
        try:
            return super()._transform(index)
        except Exception as error:  # whatever a reader or a transform raises: it concerns this file alone
            return {**item, "error": failure_reason(error)}


class VolumeLoader:
    """Batches of one volume; the next ones are read while one is worked on, unless it is large.

    Threads read, not processes: they cost no copies, and no shared memory, of which containers have little.

    Args:
        dataset: volumes, ``image`` of shape ``(1, H, W, D)`` where there is no ``error``.
        num_workers: number of threads, and of volumes that are read ahead; 0 reads each when its turn comes.
        overlap_voxels: nothing is read ahead of a volume with more voxels, so that memory holds one large volume at
            a time, and small ones.
    """

    def __init__(self, dataset: Dataset, num_workers: int = 1, overlap_voxels: float = math.inf) -> None:
        self.dataset = dataset
        self.num_workers = num_workers
        self.overlap_voxels = overlap_voxels

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        ahead: deque[Future[dict[str, Any]]] = deque()
        with ThreadPoolExecutor(max(1, self.num_workers), "read") as readers:
            for index in range(len(self)):
                batch = ahead.popleft().result() if ahead else self._read(index)
                if batch["error"][0] or batch["image"].numel() <= self.overlap_voxels:
                    following = range(index + 1 + len(ahead), min(index + 1 + self.num_workers, len(self)))
                    ahead.extend(readers.submit(self._read, position) for position in following)
                yield batch
                del batch  # not kept while the next one is waited for

    def _read(self, index: int) -> dict[str, Any]:
        try:
            return list_data_collate([self.dataset[index]])
        except Exception as error:  # out of memory
            return list_data_collate([{**self.dataset.data[index], "error": failure_reason(error)}])
