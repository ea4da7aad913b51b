# SPDX-License-Identifier: Apache-2.0
"""Kinds of damage that a verdict tells apart, and what a level of them means."""

from __future__ import annotations

__all__ = ["DECADES", "KINDS", "LEAST_RMS", "rms_of_level"]

KINDS = ("bias", "motion", "thick", "noise", "lines", "ringing", "dropout", "holes", "blur")
"""Lines are missing ones of k-space."""
LEAST_RMS, DECADES = 10**-2.5, 1.7
"""Root mean square change, 1 = the 99.5th percentile, at level 0, and powers of ten to level 1."""


def rms_of_level(level: float) -> float:
    """Root mean square change of the tissue, 1 = the 99.5th percentile, of a level."""
    return float(LEAST_RMS * 10 ** (DECADES * level))
