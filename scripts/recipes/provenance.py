# SPDX-License-Identifier: Apache-2.0
"""Provenance of results: seed, split, weights, commit, versions."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import monai
import torch

from ..data.split import split_hash
from ..files.hashes import file_hash
from .places import PACKAGE_DIR, ROOT

__all__ = ["git_commit", "provenance", "split_hash"]


def git_commit(root: Path = ROOT) -> str:
    """The commit of the checkout, with ``+`` for uncommitted changes; ``unknown`` outside one and where installed."""
    if root == PACKAGE_DIR:
        return "unknown"
    try:
        run = [
            subprocess.run(
                ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
            ).stdout.strip()
            for arguments in (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        ]
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return run[0] + ("+" if run[1] else "")


def provenance(cohort: Mapping[str, Any], weights: str | None, seed: int, device: torch.device | str) -> dict[str, str]:
    """Collect the provenance of an evaluation.

    Args:
        cohort: cohort as :func:`scripts.data.cohort.load_cohort` reads it.
        weights: file of the network's weights; ``None`` if no trained network is evaluated.
        seed: seed of the damage and of the bootstrap.
        device: device on which the network ran.
    """
    sizes = ", ".join(f"{part} {len(cohort[part])}" for part in ("training", "validation", "test"))
    return {
        "cohort": f"{cohort.get('name', 'unnamed')} ({sizes} subjects)",
        "split hash": split_hash(cohort),
        "weights (SHA-256)": file_hash(Path(weights))[:16] if weights else "none",
        "seed of the damage": str(seed),
        "commit": git_commit(),
        "versions": f"torch {torch.__version__}, MONAI {monai.__version__}",
        "device": str(device),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }
