# SPDX-License-Identifier: Apache-2.0
"""Dictionary transforms that take a volume to network space and back to the grid it came on."""

from __future__ import annotations

from .plane import PLANE_AXCODES, plane_axcodes
from .volume_scale import ScaleIntensityByVolumePercentiled, volume_range

__all__ = ["PLANE_AXCODES", "ScaleIntensityByVolumePercentiled", "plane_axcodes", "volume_range"]
