# SPDX-License-Identifier: Apache-2.0
"""The latent space of a trained autoencoder, measured and used: ``python -m scripts latent``, docs/latent.md."""

from __future__ import annotations

from .model import LatentModel, MaskModel
from .nearest import nearest_masks
from .sampling import AttributeScale, ParzenWindow, interpolation, sample_with_attribute, traversal

__all__ = [
    "AttributeScale", "LatentModel", "MaskModel", "ParzenWindow", "interpolation", "nearest_masks",
    "sample_with_attribute", "traversal",
]  # fmt: skip
