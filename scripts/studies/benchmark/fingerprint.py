# SPDX-License-Identifier: Apache-2.0
"""What the result of a step depends on: by it a finished cell is recognised, wherever it was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monai.bundle import ConfigParser

from ...files.hashes import content_hash, file_hash
from ...recipes.code import code_hash
from ...recipes.places import CONFIGS

__all__ = ["content_hash", "file_hash", "fingerprint", "training_config"]

PLACES = (
    "bundle_root",
    "dataset_dir",
    "output_dir",
    "cache_dir",
    "device",
    "num_workers",
    "resume",
    "recipe",
    "imports",
)
"""Keys that say where and how fast, not what. Code is found through the other keys, so ``imports`` adds nothing."""


def fingerprint(config: Mapping[str, Any], split: str) -> dict[str, str]:
    """Hashes of the config, the data and the code of a step.

    Args:
        config: as merged, or the part that the step uses.
        split: hash of the cohort, see :func:`scripts.recipes.provenance.split_hash`.

    Returns:
        ``config``, ``data`` and ``code``, 16 hexadecimal digits each.
    """
    what = {key: value for key, value in config.items() if key not in PLACES}
    return {"config": content_hash(what), "data": split, "code": code_hash(what)}


def training_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a merged config that training uses: all but the keys of ``configs/evaluate.yaml``."""
    evaluation = {key.lstrip("+") for key in ConfigParser.load_config_file(CONFIGS / "evaluate.yaml")}
    return {key: value for key, value in config.items() if key not in evaluation}
