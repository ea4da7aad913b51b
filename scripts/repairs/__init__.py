# SPDX-License-Identifier: Apache-2.0
"""Damage that is undone by a formula rather than learned: each function recognises its kind, or changes nothing."""

from __future__ import annotations

from .kspace_spikes import find_spikes, remove_spikes
from .line_gains import equalise_lines, line_gains

__all__ = ["equalise_lines", "find_spikes", "line_gains", "remove_spikes"]
