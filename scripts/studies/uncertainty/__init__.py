# SPDX-License-Identifier: Apache-2.0
"""Where a segmentation may be wrong: maps of uncertainty, and how well they foresee the error.

A map has the shape ``(N, H, W)`` and values in [0, 1]; 1 is least certain.
"""

from __future__ import annotations

from .maps import dropout_probabilities, edge_map, entropy_map
from .mask_bank import MaskBank, bandwidth, concentration

__all__ = ["MaskBank", "bandwidth", "concentration", "dropout_probabilities", "edge_map", "entropy_map"]
