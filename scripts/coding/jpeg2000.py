# SPDX-License-Identifier: Apache-2.0
"""JPEG 2000: what decades of work on wavelets are worth at the same number of bits."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from .codec import Coded

__all__ = ["Jpeg2000"]

GREY_LEVELS = 65535
"""16 bits: the rounding costs nothing beside the code."""

START_OF_DATA = b"\xff\x93"
END_OF_IMAGE = b"\xff\xd9"


class Jpeg2000:
    """Code each slice by itself with the irreversible 9/7 wavelet of JPEG 2000 (OpenJPEG, through Pillow).

    Counted are the bits of the data itself. The headers, which are the same for all slices of one size (about 150
    bytes), do not count, as the weights of a network and the components of a PCA do not count. Neither does the scale
    by which the grey levels of a subject are made 16-bit numbers.

    Args:
        bits_per_pixel: targets; the encoder comes near each, and what it used is reported.

    Raises:
        ValueError: a target that is not positive.

    References:
        Taubman and Marcellin, JPEG2000: image compression fundamentals, standards and practice, 2002.
    """

    def __init__(self, bits_per_pixel: Sequence[float]) -> None:
        if min(bits_per_pixel, default=1.0) <= 0:
            raise ValueError(f"bits per pixel must be positive, got {list(bits_per_pixel)}.")
        self.targets = list(bits_per_pixel)

    def code(self, images: Tensor) -> Iterator[Coded]:
        """See :class:`~scripts.coding.codec.Codec`; images must not be negative."""
        scale = float(images.max()) / GREY_LEVELS
        grey = (images[:, 0].clamp(min=0) / scale).round().cpu().numpy().astype(np.uint16)
        header = _data(_stream(grey[0], 1.0))[0]
        for target in self.targets:
            # the encoder counts the headers, we do not; its rates are relative to 16 bits per pixel
            ratio = 16 * grey[0].size / (target * grey[0].size + 8 * header)
            streams = [_stream(image, ratio) for image in grey]
            decoded = np.stack([np.asarray(Image.open(io.BytesIO(stream))) for stream in streams])
            restored = torch.from_numpy(decoded.astype(np.float32) * scale)[:, None].to(images)
            bits = 8 * sum(_data(stream)[1] for stream in streams)
            yield Coded(restored, "jpeg2000", target / 8, bits=bits)


def _stream(image: NDArray[np.uint16], ratio: float) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(
        stream, "JPEG2000", no_jp2=True, irreversible=True, quality_mode="rates", quality_layers=[ratio]
    )
    return stream.getvalue()


def _data(stream: bytes) -> tuple[int, int]:
    """Bytes of the headers and of the data between the markers."""
    start = stream.index(START_OF_DATA) + len(START_OF_DATA)
    return start, len(stream) - start - len(END_OF_IMAGE)
