# SPDX-License-Identifier: Apache-2.0
"""Measurements of the project: not shipped, imported by nothing. Run one as ``python -m scripts.studies.NAME``."""
