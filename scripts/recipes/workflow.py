# SPDX-License-Identifier: Apache-2.0
"""The workflow of a recipe in this process: what ``python -m monai.bundle run`` runs, from any working directory."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from typing import Any

import yaml
from monai.bundle import ConfigParser, ConfigWorkflow

from ..files.installation import cache_folder
from .places import ROOT
from .recipe import Recipe, merged_config
from .values import EXPRESSIONS, KINDS, as_text

__all__ = ["INFERENCE", "as_text", "recipe_workflow", "typed_settings"]

INFERENCE = Recipe("restored", ("configs/inference.yaml",))

PATHS = re.compile(r"\w+_dir|bundle_root|(\w+_)?weights|mask")
"""Keys whose values are paths: text, whatever it begins with."""


def typed_settings(recipe: Recipe, texts: Mapping[str, str | None]) -> dict[str, Any]:
    """Read values of keys of a config, as YAML has them.

    Args:
        recipe: recipe with the config.
        texts: value by key, such as ``max_epochs`` or ``train#trainer#max_epochs``; ``None`` for true. Expressions of
            MONAI (``$...``, ``@...``) stay as they are, but paths are texts.

    Returns:
        The values, each of the type of the value that it replaces, where that is no expression.

    Raises:
        ValueError: the config has no such key, or its value is of another type.
    """
    merged_config(recipe, {key.partition("#")[0]: None for key in texts})  # refuses unknown ones
    config = ConfigParser(merged_config(recipe))
    for key in texts:
        parent = key.rpartition("#")[0]
        siblings = config.get(parent) if parent else None
        if key not in config and not (isinstance(siblings, dict) and "_target_" in siblings):
            known = f"{parent} has {', '.join(siblings)}" if isinstance(siblings, dict) else f"there is no {parent}"
            raise ValueError(f"unknown key {key!r}: {known}.")
    return {key: _value(key, text, config.get(key)) for key, text in texts.items()}


def recipe_workflow(
    recipe: Recipe, run_id: str, settings: Mapping[str, Any], dataset_dir: str = "", output_dir: str = ""
) -> ConfigWorkflow:
    """Make the workflow of a recipe, ready to run.

    Args:
        recipe: recipe with the config.
        run_id: section of the config to run: training, evaluating or inference.
        settings: values that win over those of the recipe.
        dataset_dir: folder of the cohort or of the volumes; if empty, that of the recipe.
        output_dir: folder of the results; if empty, ``eval/<recipe>`` below the working directory.

    Raises:
        ValueError: the settings make no sense.
    """
    defaults = {
        "bundle_root": as_text(os.path.relpath(ROOT)),
        "output_dir": as_text(f"eval/{recipe.name}"),
        "cache_dir": as_text(str(cache_folder() / "cache")),
    }
    known = merged_config(recipe)
    places = {"dataset_dir": dataset_dir, "output_dir": output_dir}
    config = {
        **{key: value for key, value in defaults.items() if key in known},
        **recipe.settings,
        **{key: as_text(value) for key, value in places.items() if value},
        **settings,
    }
    logging.getLogger(ConfigWorkflow.__module__).setLevel(logging.ERROR)  # it warns that it reads no logging.conf
    files = [str(ROOT / file) for file in recipe.files]
    workflow = ConfigWorkflow(files, logging_file=False, run_id=run_id, **config)
    workflow.initialize()
    return workflow


def _value(key: str, text: str | None, own: Any) -> Any:
    """The value of a key from its text."""
    if PATHS.fullmatch(key) and text not in (None, "null"):
        return as_text(str(text))
    kind = object if isinstance(own, str) and own.startswith(EXPRESSIONS) else type(own)
    if text is not None and (kind is str or text.startswith(EXPRESSIONS)):
        return text
    value = True if text is None else _from_yaml(text, kind)
    if kind in KINDS and type(value) not in KINDS[kind][0]:
        raise ValueError(f"--{key} must be {KINDS[kind][1]}, got {'nothing' if text is None else repr(text)}.")
    return value


def _from_yaml(text: str, kind: type) -> Any:
    if kind is list and not text.startswith("["):
        text = f"[{text}]"
    if re.fullmatch(r"[-+]?\d+\.?\d*[eE][-+]?\d+", text):  # YAML 1.1 takes 1e-4 for a text
        return float(text)
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{text!r} is no value in YAML.") from error
