# SPDX-License-Identifier: Apache-2.0
"""The synthetic cohort on which everything runs without data."""
