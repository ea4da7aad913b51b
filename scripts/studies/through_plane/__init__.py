# SPDX-License-Identifier: Apache-2.0
"""What becomes of slices that were replaced on purpose: found or not, and how near the labels after the correction."""
