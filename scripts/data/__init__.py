# SPDX-License-Identifier: Apache-2.0
"""Data: from a folder of images to a described cohort, its parts and its slices."""
