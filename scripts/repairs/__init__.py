# SPDX-License-Identifier: Apache-2.0
"""Damage that is undone by a formula: its kind is recognised, or nothing is changed; holes are told by a mask."""

from __future__ import annotations

from .erased import fill_erased, find_erased
from .inverse_blur import blur_width, remove_blur
from .kspace_spikes import find_spikes, remove_spikes
from .line_gains import equalise_lines, line_gains
from .noise import noise_std, remove_noise
from .repair import Repaired, repair
from .smooth_fill import fill_smoothly, separate_boxes

__all__ = [
    "Repaired", "blur_width", "equalise_lines", "fill_erased", "fill_smoothly", "find_erased", "find_spikes",
    "line_gains", "noise_std", "remove_blur", "remove_noise", "remove_spikes", "repair", "separate_boxes",
]  # fmt: skip
