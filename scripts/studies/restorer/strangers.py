# SPDX-License-Identifier: Apache-2.0
"""Volumes that a restorer of T1-weighted heads must leave alone, and sound heads that only look unusual."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...corruptions import Draws
from ...engines import RandVariants

__all__ = ["sound_heads", "strangers"]

T2 = ((0, 1, 0.85, 0.7, 0.55, 0.4, 0.3), (0, 0.8, 1, 0.75, 0.6, 0.6, 0.8))
FLAIR = (0, 0.25, 0.9, 1, 0.75, 0.7, 0.6)
"""Brightness of air, fluid, grey and white matter, fat: knots of a curve over those of a T1-weighted head."""
NOISE = (0.2, 0.5)
"""Standard deviation of what no restorer can mend."""


def sound_heads(head: Tensor, brain: Tensor, rng: np.random.Generator) -> Iterator[tuple[str, Tensor]]:
    """Heads that lie within the training: turned, stripped, cropped, padded, slightly noisy.

    Args:
        head: shape ``(H, W, D)``, 99.5th percentile 1.
        brain: its brain mask, same shape.
        rng: source of what is random.

    Yields:
        What it is, and the volume.
    """
    keys: dict[str, Tensor | int] = {"subject": torch.tensor([int(rng.integers(1 << 30))]), "slice": 0, "epoch": 0}
    turn = RandVariants(turn_prob=1.0, gamma=[0.6, 1.6])
    turned, mask = turn(head[None, None], brain[None, None], Draws(0, keys))
    yield "turned", turned[0, 0]
    if mask is not None:
        yield "turned and stripped", turned.masked_fill(~mask, 0.0)[0, 0]
    margins = [int(rng.integers(0, 1 + size // 10)) for size in head.shape]
    rows, columns, slices = (slice(m, size - m) for m, size in zip(margins, head.shape, strict=True))
    yield "cropped", head[rows, columns, slices]
    yield "padded", F.pad(head, [int(n) for n in rng.integers(0, 25, 6)])
    yield "noisy", (head + float(rng.uniform(0.005, 0.05)) * torch.randn_like(head)).abs()


def strangers(head: Tensor, brain: Tensor, labels: Tensor, rng: np.random.Generator) -> Iterator[tuple[str, Tensor]]:
    """What is no T1-weighted head, or not enough of one.

    Args:
        head: see :func:`sound_heads`.
        brain: see there.
        labels: numbers of its tissues, same shape.
        rng: see there.

    Yields:
        What it is, and the volume.
    """
    while True:
        knots = np.array([0, *rng.random(6)])
        if np.corrcoef(np.arange(5), knots[2:])[0, 1] < 0.2:
            break
    yield "any contrast that does not rise", _curve(head, knots / knots.max())
    yield "T2-weighted", _curve(head * float(rng.uniform(0.85, 1.15)), T2[int(rng.integers(2))])
    yield "T2-weighted and stripped", _curve(head, T2[0]).masked_fill(~brain, 0.0)
    yield "FLAIR", _curve(head, FLAIR)
    shapes = [
        lambda: labels / labels.max(),
        lambda: brain.float(),
        lambda: torch.rand(head.shape),
        lambda: head[torch.randperm(len(head))],
        lambda: torch.cat([part[:, torch.randperm(part.shape[1])] for part in head.split(8)]),
        lambda: F.interpolate(torch.rand(1, 1, 8, 8, 6), size=head.shape, mode="trilinear")[0, 0],
        lambda: _ball(head.shape, rng),
        lambda: head.roll(int(rng.integers(30, 90)), int(rng.integers(2))),
    ]
    yield "no head", shapes[int(rng.integers(len(shapes)))]()
    sd = float(rng.uniform(*NOISE))
    yield "almost noise", (head + sd * torch.randn_like(head)).hypot(sd * torch.randn_like(head))
    axis = int(rng.integers(3))
    size = head.shape[axis]
    width = max(17, int(size * rng.uniform(0.2, 0.35)))
    yield "slab", head.narrow(axis, int(rng.integers(size // 4, 4 * size // 5 - width)), width)


def _curve(volume: Tensor, knots: np.ndarray | tuple[float, ...]) -> Tensor:
    return torch.from_numpy(np.interp(volume.numpy(), np.linspace(0, 1.25, len(knots)), knots)).float()


def _ball(shape: torch.Size, rng: np.random.Generator) -> Tensor:
    place = torch.stack(torch.meshgrid(*[torch.linspace(-1, 1, size) for size in shape], indexing="ij"))
    ball = (place.square().sum(dim=0) < rng.uniform(0.2, 0.8)).float()
    return ball * float(rng.uniform(0.5, 1)) + 0.02 * torch.randn(shape).abs()
