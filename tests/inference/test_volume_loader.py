# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
import time

import pytest
import torch

from scripts.inference.volumes import VolumeLoader


class Volumes:
    """Notes which volumes were read; ``sizes`` gives their voxels, 0 for one that cannot be read."""

    def __init__(self, sizes):
        self.sizes = sizes
        self.read = []
        self.threads = set()

    def __len__(self):
        return len(self.sizes)

    def __getitem__(self, index):
        self.threads.add(threading.current_thread())
        self.read.append(index)
        size = self.sizes[index]
        image = {"image": torch.full((1, size, 1, 1), float(index))} if size else {}
        return {"name": str(index), "error": "" if size else "bad", **image}


def read_when_used(sizes, num_workers, overlap_voxels=float("inf")):
    """For each volume, the ones that had been read some time after it was given."""
    volumes, seen = Volumes(sizes), []
    for index, batch in enumerate(VolumeLoader(volumes, num_workers, overlap_voxels)):
        assert batch["name"] == [str(index)]
        time.sleep(0.05)  # the reading threads have little to do
        seen.append(sorted(volumes.read))
    return seen


@pytest.mark.parametrize("num_workers", [0, 1, 2, 5])
def test_volumes_come_in_order_and_so_many_are_read_ahead(num_workers):
    seen = read_when_used([8] * 4, num_workers)
    assert seen == [list(range(min(4, index + 1 + num_workers))) for index in range(4)]


def test_nothing_is_read_ahead_of_a_large_volume():
    assert read_when_used([8, 9, 8, 8], 1, overlap_voxels=8) == [[0, 1], [0, 1], [0, 1, 2, 3], [0, 1, 2, 3]]


def test_a_bad_volume_does_not_stop_the_reading():
    seen = read_when_used([8, 0, 8], 1, overlap_voxels=8)
    assert seen[-1] == [0, 1, 2]


def test_an_abandoned_loop_leaves_no_thread():
    volumes = Volumes([8] * 9)
    batches = iter(VolumeLoader(volumes, 2))
    next(batches)
    batches.close()
    assert not any(thread.is_alive() for thread in volumes.threads - {threading.current_thread()})
    assert len(volumes.read) <= 3
