# SPDX-License-Identifier: Apache-2.0
"""Volumes one by one, the next one read while one is worked on."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from monai.data import Dataset, list_data_collate

__all__ = ["VolumeLoader"]


class VolumeLoader:
    """Batches of one volume; the next ones are read while one is worked on, unless it is large.

    Threads read, not processes: they cost no copies, and no shared memory, of which containers have little.

    Args:
        dataset: volumes, ``image`` of shape ``(1, H, W, D)`` where there is no ``error``.
        num_workers: threads, and volumes that are read ahead; 0 reads each when its turn comes.
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
        return list_data_collate([self.dataset[index]])
