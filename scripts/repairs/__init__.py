# SPDX-License-Identifier: Apache-2.0
"""Damage that is undone by a formula: its kind is recognised, or nothing is changed; holes are told by a mask."""

from __future__ import annotations

from .kspace_spikes import find_spikes, remove_spikes
from .line_gains import equalise_lines, line_gains
from .smooth_fill import fill_smoothly, separate_boxes

__all__ = [
    "equalise_lines", "fill_smoothly", "find_spikes", "line_gains", "remove_spikes", "separate_boxes",
]  # fmt: skip
