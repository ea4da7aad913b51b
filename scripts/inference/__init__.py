# SPDX-License-Identifier: Apache-2.0
"""Volumes restored by a trained network."""
