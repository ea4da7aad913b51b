# SPDX-License-Identifier: Apache-2.0
"""What MONAI's runner does not check: mistyped keys. And the merged config, kept beside the weights."""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from .. import __version__
from ..files.errors import suggestion
from ..files.hashes import content_hash, file_hash

__all__ = ["check_keys", "save_merged_config", "settings_hash"]

RUNNER_KEYS = {"_meta_", "imports", "initialize", "run", "finalize"}
TRACKING_KEYS = {"tracking_uri", "experiment_name", "run_name", "save_execute_config", "is_not_rank0"}
"""Set by MONAI's ``--tracking`` and by its federated client."""

FOLDERS = {"dataset_dir", "output_dir"}

SWITCHES = {"amp"}
"""Booleans whose default is found out."""
TRUE, FALSE = ("true", "yes", "on"), ("false", "no", "off")

OF_THE_RUN = {
    "_meta_", "batch_size", "bundle_root", "dataloader", "dataset", "dataset_dir", "device", "dry_run", "evaluator",
    "finalize", "handlers", "imports", "inference", "initialize", "mask", "max_memory", "num_workers", "output_dir",
    "overlap_voxels", "patterns", "report", "run", "skip_existing", "weights",
}  # fmt: skip
"""Keys of an inference config that do not change the voxels of a result (of the weights, the content does)."""


def _check_folder(key: str, value: Any) -> None:
    """Refuse a folder that was typed and that MONAI takes for something else; in a config it may be an expression."""
    if isinstance(value, os.PathLike):
        return
    if not isinstance(value, str):
        raise ValueError(f"--{key} {value} is read as a number or a list: write ./{value}.")
    typed = [word for word in sys.argv[1:] if re.sub(r"^--\w+=", "", word).replace("#", "::") == value]
    if typed and value.startswith(("$", "@", "%")):
        raise ValueError(f"--{key} {value} is read as an expression: write ./{value}.")
    if any("#" in word for word in typed):
        raise ValueError(f"--{key} becomes {value}, as MONAI reads # for ::. Rename the folder.")


def _running_parser() -> ConfigParser:
    """The parser whose config is being evaluated.

    MONAI hands a config's expressions no reference to the config itself, so it is looked up among the callers.

    Raises:
        RuntimeError: called from anywhere but an expression of a config.
    """
    frame = inspect.currentframe()
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, ConfigParser):
            return caller
        frame = frame.f_back
    raise RuntimeError("this function can only be called from the initialize or run section of a bundle config.")


def check_keys(bundle_root: str, config_files: Sequence[str]) -> None:
    """Refuse a top-level key that none of the given configs defines, and a path that is no text; read booleans as YAML.

    MONAI adds a mistyped ``--max_epoch 9`` to the config and ignores it, reads ``--dataset_dir 2024`` as a number and
    ``--dataset_dir '$x'`` as code; here they end the run. ``--amp false`` it reads as a text, which counts as true;
    here it is the boolean that it is in a YAML file. Therefore this must come first in ``initialize``.

    Args:
        bundle_root: root of the bundle.
        config_files: names without suffix of the files in ``configs`` that define the keys, such as ``train``.

    Raises:
        ValueError: an unknown key, with the nearest known one; another text for a boolean; a folder that MONAI took for
            something else.
    """
    known: dict[str, Any] = dict.fromkeys(RUNNER_KEYS)
    for name in config_files:
        found = [
            p
            for p in sorted((Path(bundle_root) / "configs").glob(f"{name}.*"))
            if p.suffix.lstrip(".") in ConfigParser.suffixes
        ]
        for path in found:
            known |= {key.lstrip("+"): value for key, value in ConfigParser.load_config_file(path).items()}
    parser = _running_parser()
    given = parser.get()
    for key, value in given.items():
        if isinstance(value, str) and (key in SWITCHES or isinstance(known.get(key), bool)) and value[:1] not in "$@%":
            given[key] = _boolean(key, value)
            parser.ref_resolver.items[key].update_config(given[key])
        if key in FOLDERS and value is not None:
            _check_folder(key, value)
    for key in sorted(given.keys() - known.keys() - TRACKING_KEYS):
        raise ValueError(f"unknown key {key!r}: {suggestion(key, sorted(known.keys() - RUNNER_KEYS))}")


def _boolean(key: str, text: str) -> bool:
    """A boolean as YAML 1.1 has them."""
    word = text.lower()
    if word not in (*TRUE, *FALSE):
        raise ValueError(f"{key} is {text!r}: give true or false.")
    return word in TRUE


def settings_hash(weights: str) -> str:
    """Hash all that determines the result of a volume: the config, the weights and the version of this package.

    Args:
        weights: file of the weights.

    Returns:
        16 hexadecimal digits.
    """
    config = {key: repr(value) for key, value in _running_parser().get().items() if key not in OF_THE_RUN}
    return content_hash({**config, "weights": file_hash(Path(weights)), "version": __version__})


def save_merged_config(path: str) -> None:
    """Write the config as merged from all files and overrides, the exact truth about a run.

    Args:
        path: JSON or YAML file.
    """
    config: dict[str, Any] = {key: value for key, value in _running_parser().get().items() if key != "_meta_"}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    ConfigParser.export_config_file(config, path, fmt=Path(path).suffix.lstrip("."), sort_keys=False, indent=2)
