# SPDX-License-Identifier: Apache-2.0
"""What a contender is asked to do."""

from __future__ import annotations

from dataclasses import dataclass

from .sample import Sample

__all__ = ["Task"]


@dataclass(frozen=True)
class Task:
    """The same for all contenders of a match.

    Attributes:
        sample: the data.
        network: file of ``configs/net`` without its ending.
        device: such as "cpu" or "cuda".
        seed: of everything random.
        work_dir: an existing folder for what contenders write.
    """

    sample: Sample
    network: str
    device: str
    seed: int
    work_dir: str
