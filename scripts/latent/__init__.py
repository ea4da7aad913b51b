# SPDX-License-Identifier: Apache-2.0
"""What to do with the latent space of a trained autoencoder: docs/latent.md, ``python -m scripts latent``."""

from __future__ import annotations

from .measures import attribute_rows, disentanglement
from .model import LatentModel, MaskModel
from .nearest import nearest_masks
from .paths import interpolation, traversal
from .sampling import AttributeScale, ParzenWindow, Rejection, sample_with_attribute

__all__ = [
    "AttributeScale",
    "LatentModel",
    "MaskModel",
    "ParzenWindow",
    "Rejection",
    "attribute_rows",
    "disentanglement",
    "interpolation",
    "nearest_masks",
    "sample_with_attribute",
    "traversal",
]
