# SPDX-License-Identifier: Apache-2.0
"""What a codec is: images in; what becomes of them out, with what it cost."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

__all__ = ["Codec", "Coded"]


@dataclass(frozen=True)
class Coded:
    """Images after coding and decoding, at one rate.

    Attributes:
        images: decoded, shape ``(N, 1, H, W)``.
        codec: its name.
        compression: nominal values per pixel; of a codec without values, an eighth of the bits per pixel asked for.
        values: what was passed on in all, in numbers; NaN where the codec has no values.
        bits_per_value: of the quantised values; NaN for values as they are, in floating point.
        bits: length of the code of all images together; NaN where the values are not coded.
    """

    images: Tensor
    codec: str
    compression: float
    values: float = math.nan
    bits_per_value: float = math.nan
    bits: float = math.nan


class Codec(Protocol):
    """A way to code images, at one or several rates."""

    def code(self, images: Tensor) -> Iterator[Coded]:
        """Code and decode clean ``images`` of shape ``(N, 1, H, W)``, each size a multiple of 8."""
        ...
