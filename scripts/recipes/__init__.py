# SPDX-License-Identifier: Apache-2.0
"""Recipes, their configs and their trained networks."""
