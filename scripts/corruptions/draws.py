# SPDX-License-Identifier: Apache-2.0
"""Counter-based random numbers: they depend on (seed, subject, slice, epoch) alone, not on the batches."""

from __future__ import annotations

import copy
import math
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache

import torch
from torch import Tensor

__all__ = ["Draws", "mix32"]

MASK32 = 0xFFFFFFFF
TWO_POW_MINUS_32 = 2.0**-32
KEY_NAMES = ("subject", "slice", "epoch")


def mix32(values: Tensor) -> Tensor:
    """Scramble 32-bit integers (a bijection with an avalanche bias of 0.107).

    The multipliers are below 2**31, so the products with 32-bit numbers fit into 63 bits, and the result is the same on
    every device.

    Args:
        values: ``int64``, any shape, each in ``[0, 2**32)``.

    Returns:
        ``int64`` of the same shape, each in ``[0, 2**32)``.

    References:
        C. Wellons, Prospecting for Hash Functions (2018) and the hash-prospector repository, constants "lowbias32".
    """
    values = values ^ (values >> 16)  # a new tensor: the rest works in place, three times as fast on a CPU
    values.mul_(0x21F0AAAD).bitwise_and_(MASK32)
    values.bitwise_xor_(values >> 15)
    values.mul_(0x735A2D97).bitwise_and_(MASK32)
    return values.bitwise_xor_(values >> 15)


@lru_cache(maxsize=8)
def _scrambled_counters(count: int, device: torch.device) -> Tensor:
    return mix32(torch.arange(count, dtype=torch.int64, device=device))


class Draws:
    """Random numbers for one batch, one independent stream for each name.

    The value at a voxel is a hash of the seed, the stream's name, the subject, the slice, the epoch and the voxel's
    position: the same for any batch size, order, number of workers and device.

    Args:
        seed: seed of the experiment, any integer.
        keys: ``subject`` and ``slice``, each an integer tensor of shape ``(B,)``, and ``epoch``, an integer or such a
            tensor.

    Raises:
        ValueError: a key is missing, or the shapes of the keys differ.
    """

    def __init__(self, seed: int, keys: Mapping[str, Tensor | int]) -> None:
        missing = [name for name in KEY_NAMES if name not in keys]
        if missing:
            raise ValueError(f"keys must hold {', '.join(KEY_NAMES)}, got {sorted(keys)}: add {', '.join(missing)}.")
        self.seed, self.keys = seed, dict(keys)
        subject = torch.as_tensor(keys["subject"], dtype=torch.int64)
        self.device = subject.device
        state = mix32(torch.full_like(subject, seed & MASK32))
        for name in KEY_NAMES:
            value = torch.as_tensor(keys[name], dtype=torch.int64, device=self.device)
            if value.shape not in (subject.shape, ()):
                raise ValueError(
                    f"{name} must have the shape of subject, {tuple(subject.shape)}, got {tuple(value.shape)}."
                )
            state = mix32(state ^ (value & MASK32))
            state = mix32(state ^ ((value >> 32) & MASK32))
        self._state = state  # (B,)

    def __getitem__(self, rows: Tensor) -> Draws:
        """The same draws for some images of the batch, ``rows`` (integers or boolean)."""
        some = copy.copy(self)
        some.keys = {name: self._key(name)[rows] for name in KEY_NAMES}
        some._state = self._state[rows]
        return some

    def of_slices(self, offsets: Tensor) -> Draws:
        """Draws of single slices.

        Args:
            offsets: place of each slice behind the image's own, integers of shape ``(D,)``.

        Returns:
            Draws for ``B * D`` images, the slices of an image one after another.
        """
        subject, epoch = (self._key(name).repeat_interleave(len(offsets)) for name in ("subject", "epoch"))
        place = (self._key("slice")[:, None] + offsets).flatten()
        return Draws(self.seed, {"subject": subject, "slice": place, "epoch": epoch})

    def _key(self, name: str) -> Tensor:
        return torch.as_tensor(self.keys[name], dtype=torch.int64, device=self.device).expand(len(self._state))

    def _bits(self, name: str, count: int) -> Tensor:
        stream = mix32(self._state ^ zlib.crc32(name.encode()))  # (B,)
        counters = _scrambled_counters(count, self.device)  # (count,)
        return mix32(counters[None] ^ stream[:, None])  # (B, count)

    def uniform(self, name: str, low: float = 0.0, high: float = 1.0) -> Tensor:
        """One number in ``[low, high)`` for each image, shape ``(B,)``."""
        unit = self._bits(name, 1)[:, 0].double() * TWO_POW_MINUS_32
        return (low + (high - low) * unit).float()

    def integers(self, name: str, low: int, high: int | Tensor) -> Tensor:
        """One integer in ``[low, high)`` for each image, ``int64`` of shape ``(B,)``; ``high`` may differ by image."""
        unit = self._bits(name, 1)[:, 0].double() * TWO_POW_MINUS_32
        return low + (unit * (high - low)).floor().long()

    def uniform_field(self, name: str, shape: Sequence[int]) -> Tensor:
        """A number in ``[0, 1)`` for each voxel of each image, ``float32`` of shape ``(B, *shape)``."""
        bits = self._bits(name, math.prod(shape))
        # 24 bits fill the mantissa of float32 exactly: no rounding up to 1.0
        return (bits >> 8).float().mul_(2.0**-24).view(-1, *shape)

    def normal_field(self, name: str, shape: Sequence[int]) -> Tensor:
        """A standard normal number for each voxel of each image, ``float32`` of shape ``(B, *shape)`` (Box-Muller)."""
        count = math.prod(shape)
        half = (count + 1) // 2
        bits = self._bits(name, 2 * half)
        unit = (bits >> 8).float().mul_(2.0**-24)
        radius = (1.0 - unit[:, :half]).log_().mul_(-2.0).sqrt_()  # 1 - unit lies in (0, 1]: the logarithm is finite
        angle = unit[:, half:].mul_(2.0 * math.pi)
        normal = torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)
        return normal[:, :count].reshape(-1, *shape)
