# SPDX-License-Identifier: Apache-2.0
"""Where a segmentation may be wrong: maps of uncertainty, and how well they foresee the error.

A map has the shape ``(N, H, W)`` and values in [0, 1]; 1 is least certain.
"""
