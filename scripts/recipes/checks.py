# SPDX-License-Identifier: Apache-2.0
"""What MONAI's runner does not check: mistyped keys and words, and values that make no sense."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from pydoc import locate
from typing import Any

from monai.bundle import ConfigComponent, ConfigParser, ConfigWorkflow

from .. import __version__
from ..files.errors import suggestion
from ..files.hashes import content_hash, file_hash
from .values import EXPRESSIONS, checked_value

__all__ = ["check_keys", "running_parser", "settings_hash"]

RUNNER_KEYS = {"_meta_", "imports", "initialize", "run", "finalize"}
TRACKING_KEYS = {"tracking_uri", "experiment_name", "run_name", "save_execute_config", "is_not_rank0"}
"""Set by MONAI's ``--tracking`` and by its federated client."""

TRACKED = re.compile(r"(?![$@%])(.+) \+ '(/config_[\d_]+\.json)'")

RUNS = ("run", "training", "evaluating", "inference")
"""Sections that do something."""

OBJECT = "object of Python: "
"""Begins what stands in a saved config for an object that no text can give back."""

OF_THE_RUN = {
    "_meta_", "batch_size", "bundle_root", "dataloader", "dataset", "dataset_dir", "device", "dicom", "dry_run",
    "evaluator", "finalize", "handlers", "imports", "inference", "initialize", "mask", "max_memory", "num_workers",
    "output_dir", "overlap_voxels", "patterns", "report", "run", "skip_existing", "weights",
}  # fmt: skip
"""Keys of an inference config that do not change the voxels of a result (of the weights, the content does)."""


def running_parser() -> ConfigParser:
    """The parser whose config is being evaluated.

    MONAI hands a config's expressions no reference to the config itself, so it is looked up among the callers.

    Raises:
        RuntimeError: called from anywhere but an expression of a config.
    """
    found = _caller(ConfigParser)
    if found is None:
        raise RuntimeError("this function can only be called from the initialize or run section of a bundle config.")
    return found


def _caller(kind: type) -> Any:
    """The nearest of the calling objects that is of a class, or ``None``."""
    frame = inspect.currentframe()
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, kind):
            return caller
        frame = frame.f_back
    return None


def check_keys(bundle_root: str, config_files: Sequence[str]) -> None:
    """Refuse what would be ignored or misread: unknown keys, values of another type, a section that runs nothing.

    MONAI adds a mistyped ``--max_epoch 9`` to the config and ignores it, reads ``--dataset_dir 2024`` as a number and
    ``--dataset_dir '$x'`` as code; here they end the run. ``--amp false`` it reads as a text, which counts as true;
    here it is the boolean that it is in a YAML file. A key of one's own is allowed where another value refers to it.

    The config is then read anew, and with it its ``imports``, which MONAI evaluates before the bundle can be found.
    Therefore this must come first in ``initialize``, after the line that lets Python find the bundle.

    Args:
        bundle_root: root of the bundle.
        config_files: names without suffix of the files in ``configs`` that define the keys, such as ``train``; without
            any, all keys are taken.

    Raises:
        ValueError: an unknown key or section, with the nearest known one; a value of another type or out of range.
    """
    known: dict[str, Any] = {}
    for name in config_files:
        for path in sorted((Path(bundle_root) / "configs").glob(f"{name}.*")):
            if path.suffix.lstrip(".") in ConfigParser.suffixes:
                known |= {key.lstrip("+"): value for key, value in ConfigParser.load_config_file(path).items()}
    parser = running_parser()
    config = parser.get()
    if known:
        _check_section(config, known)
        _check_names(parser, config, known)
    if tracked := TRACKED.fullmatch(str(config.get("save_execute_config"))):  # MONAI adds to a text as to an expression
        config["save_execute_config"] = f"{tracked[1]}{tracked[2]}"
    for key, value in config.items():
        config[key] = checked_value(key, value, known.get(key))
    parser.parse(reset=True)


def _check_section(config: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Refuse to run what does nothing, such as ``train``; MONAI would say nothing. A section may be one's own."""
    workflow = _caller(ConfigWorkflow)
    section = workflow.run_id if workflow else RUNS[0]
    if section not in config or (section in known and section not in RUNS):
        raise ValueError(f"run {section}: {suggestion(section, [name for name in RUNS if name in config])}")


def _check_names(parser: ConfigParser, config: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    texts = list(_texts(config))
    used = {name.replace("#", "::") for text in texts for name in re.findall(r"[@%]([\w:#]+)", text)}
    for text in texts:
        if text.startswith(OBJECT):
            raise ValueError(f"the config was saved from a run that was given an {text}. Give it again.")
    plain = {**dict.fromkeys(RUNNER_KEYS | TRACKING_KEYS), **known}
    for name, key, others in _unknown(parser, config, plain):
        if not any(one == name or one.startswith(f"{name}::") for one in used):
            shown = name.replace("::", "#")
            raise ValueError(f"unknown key {shown!r}: {suggestion(key, sorted(set(others) - RUNNER_KEYS))}")


def _unknown(parser: ConfigParser, config: Any, known: Any, place: str = "") -> Iterator[tuple[str, str, list[str]]]:
    """Ids, and their last parts, that neither the bundle nor the signature of a component has, with what there is."""
    inside = f"{place}::" if place else ""
    if isinstance(config, list):
        for number, value in enumerate(config):
            same = known[number] if isinstance(known, list) and number < len(known) else None
            yield from _unknown(parser, value, same, f"{inside}{number}")
    if not isinstance(config, dict):
        return
    target = config.get("_target_")
    same = known if isinstance(known, dict) and known.get("_target_") == target else {}
    new = sorted(config.keys() - same.keys() - ConfigComponent.non_arg_keys)
    if target is not None and new:
        names = _arguments(parser, config)
        yield from ((f"{inside}{key}", key, names) for key in new if names and key not in names)
    elif same:
        yield from ((f"{inside}{key}", key, list(same)) for key in new)
    for key, value in config.items():
        if inside or key != "_meta_":
            yield from _unknown(parser, value, same.get(key), f"{inside}{key}")


def _arguments(parser: ConfigParser, config: Mapping[str, Any]) -> list[str]:
    """Arguments that a component takes by name; none where it takes any, or cannot be found."""
    if not isinstance(config["_target_"], str) or config["_target_"].startswith(EXPRESSIONS):
        return []
    try:
        component = locate(ConfigComponent(config, locator=parser.locator).resolve_module_name())
        parameters = inspect.signature(component).parameters.values()  # type: ignore[arg-type]
    except Exception:  # says itself what it lacks when it is made
        return []
    if any(one.kind is one.VAR_KEYWORD for one in parameters):
        return []
    return [one.name for one in parameters]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)
    elif isinstance(value, str):
        yield value


def settings_hash(weights: str) -> str:
    """Hash all that determines the result of a volume: the config, the weights and the version of this package.

    Args:
        weights: file of the weights.

    Returns:
        16 hexadecimal digits.
    """
    config = {key: repr(value) for key, value in running_parser().get().items() if key not in OF_THE_RUN}
    return content_hash({**config, "weights": file_hash(Path(weights)), "version": __version__})
