# SPDX-License-Identifier: Apache-2.0
"""Where the configs and the published weights lie: one root, in a checkout, an installed wheel and a built bundle."""

from __future__ import annotations

from pathlib import Path

__all__ = ["CONFIGS", "PACKAGE", "PACKAGE_DIR", "PROGRAM", "PUBLISHED", "ROOT"]

PACKAGE_DIR = Path(__file__).resolve().parents[1]
"""Folder of the Python package."""

PACKAGE = PACKAGE_DIR.name
"""Name of the package: ``scripts`` in a checkout and in a bundle, ``brain_mri_autoencoders`` where installed."""

PROGRAM = "python -m scripts" if PACKAGE == "scripts" else "brain-ae"
"""What one types before the word of a command."""

ROOT = PACKAGE_DIR if (PACKAGE_DIR / "configs").is_dir() else PACKAGE_DIR.parent
"""Root of the bundle: the folder that has ``configs``. A wheel carries it inside the package."""

CONFIGS = ROOT / "configs"

PUBLISHED = ROOT / "bundle"
"""A folder for each published model: recipe, metadata, card, weights."""
