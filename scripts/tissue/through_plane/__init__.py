# SPDX-License-Identifier: Apache-2.0
"""Tissue masks that are consistent from slice to slice."""
