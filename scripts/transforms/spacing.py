# SPDX-License-Identifier: Apache-2.0
"""Resample a volume in a dictionary that also holds other things."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.transforms import Spacingd

__all__ = ["SpacingOnlyd"]


class SpacingOnlyd(Spacingd):
    """``Spacingd`` that sees its own keys alone.

    MONAI's takes every entry whose name begins with ``image_`` for the metadata of ``image`` and calls its ``update``;
    MONAI Label puts the path of the file there, as ``image_path``, and ends with an ``AttributeError``.
    """

    def __call__(self, data: Mapping[Hashable, Any], lazy: bool | None = None) -> dict[Hashable, Any]:
        """Resample the volumes of ``keys``."""
        volumes = {key: data[key] for key in self.key_iterator(dict(data))}
        return {**data, **super().__call__(volumes, lazy=lazy)}
