# SPDX-License-Identifier: Apache-2.0
"""Build the bundles that are published: self-contained, one flat JSON config for each workflow.

In the repository every network, loss and corruption exists once, as a fragment that is merged when a command runs.
MONAI Label, MONAI Deploy and the model zoo read exactly one file for each workflow, so a published bundle is generated:
``bundle/<name>/recipe.yaml`` names the recipe, ``bundle/<name>/metadata.json`` says what differs from
``configs/metadata.json``, ``bundle/<name>/README.md`` is the card and ``bundle/<name>/model.pt`` holds the weights.

    python bundle/build.py                                  # every bundle, into dist/
    python bundle/build.py brain_mri_autoencoder --output_dir /elsewhere
"""

from __future__ import annotations

import json
import math
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fire
from monai.bundle import ConfigParser

__all__ = ["build"]

ROOT = Path(__file__).resolve().parent.parent
"""The repository, which is itself a bundle."""

TOOLS = (
    *("speed.py", "measuring", "weak_scaling.py", "benchmark.py", "benchmarking"),
    *("vae_peer.py", "peers", "normative", "normative_figure.py"),
)
"""Commands that compare networks, machines and peers: they need the whole repository."""

RESERVED_NAMES = ("classification", "deepedit", "deepgrow", "detection")
"""Words that make MONAI Label take a bundle for another kind of application and answer with an error."""


def build(*names: str, output_dir: str = "dist") -> list[str]:
    """Write self-contained bundles, each in a folder of its own name.

    Args:
        names: folders of ``bundle/`` to build; all of them by default.
        output_dir: where the bundles are written; a bundle of the same name there is replaced.

    Returns:
        The folders written.

    Raises:
        FileNotFoundError: there is no bundle of that name, or one of its files is missing.
        ValueError: MONAI Label cannot serve the name, or a config refers to a file that a bundle does not contain.
    """
    published = sorted(path.parent.name for path in (ROOT / "bundle").glob("*/recipe.yaml"))
    for name in names:
        if name not in published:
            raise FileNotFoundError(f"no bundle is called '{name}'; bundle/ has: {', '.join(published)}.")
    return [str(_build_one(name, Path(output_dir))) for name in names or published]


def _build_one(name: str, output_dir: Path) -> Path:
    """Write one bundle next to its final place and rename it, so that a failure leaves the former one as it was."""
    if any(word in name for word in RESERVED_NAMES):
        raise ValueError(
            f"bundle name '{name}' contains one of {RESERVED_NAMES}, which MONAI Label misreads; rename it."
        )
    source, target = ROOT / "bundle" / name, output_dir / name
    output_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=output_dir) as work:
        bundle = Path(work) / name
        (bundle / "configs").mkdir(parents=True)
        for workflow, config in _configs(source / "recipe.yaml").items():
            _write_json(bundle / f"configs/{workflow}.json", _relocated(config, f"bundle/{name}/model.pt"))
        metadata = [ROOT / "configs/metadata.json", source / "metadata.json"]
        _write_json(bundle / "configs/metadata.json", ConfigParser.load_config_files(metadata))
        for origin, place in {
            ROOT / "configs/logging.conf": "configs/logging.conf",
            ROOT / "LICENSE": "LICENSE",
            ROOT / "docs/data_license.txt": "docs/data_license.txt",
            source / "README.md": "docs/README.md",
            source / "model.pt": "models/model.pt",
        }.items():
            _copy(origin, bundle / place)
        shutil.copytree(ROOT / "scripts", bundle / "scripts", ignore=shutil.ignore_patterns("__pycache__", *TOOLS))
        shutil.rmtree(target, ignore_errors=True)
        bundle.rename(target)
    return target


def _configs(recipe_file: Path) -> dict[str, dict[str, Any]]:
    """Merge a recipe (a MONAI ``args_file``) into one flat config for training and one for inference.

    The overlay for several GPUs stays one, as in the bundles of the model zoo.
    """
    changes = ConfigParser.load_config_file(recipe_file)
    recipe = {**ConfigParser.load_config_file(ROOT / changes.pop("args_file")), **changes}
    parser = ConfigParser(ConfigParser.load_config_files([ROOT / file for file in recipe.pop("config_file")]))
    parser.update(recipe)  # references stay as they are
    train = parser.get()
    inference = ConfigParser.load_config_file(ROOT / "configs/inference.yaml")
    inference["network_def"] = train["network_def"]
    for value in _strings(train["network_def"]):
        for name in re.findall(r"@(\w+)", value):
            inference.setdefault(name, train[name])
    multi_gpu = ConfigParser.load_config_file(ROOT / "configs/hw/multi_gpu.yaml")
    return {"train": train, "multi_gpu_train": multi_gpu, "inference": inference}


def _relocated(config: Any, weights: str) -> Any:
    """Point a config at the bundle's own weights, and refuse one that needs any other file of the repository."""
    if isinstance(config, dict):
        return {key: _relocated(value, weights) for key, value in config.items()}
    if isinstance(config, list):
        return [_relocated(value, weights) for value in config]
    if isinstance(config, float) and not math.isfinite(config):
        return f"$float('{config}')"  # JSON has no infinity
    if isinstance(config, str):
        config = config.replace(weights, "models/model.pt")
        if config.startswith("%") or "bundle/" in config or "configs/" in config:
            raise ValueError(f"config value '{config}' names a file that is not in the bundle; move it into scripts/.")
    return config


def _strings(config: Any) -> Iterator[str]:
    """Every string value of a nested config."""
    if isinstance(config, str):
        yield config
    elif isinstance(config, dict | list):
        for value in config.values() if isinstance(config, dict) else config:
            yield from _strings(value)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=4, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _copy(origin: Path, target: Path) -> None:
    if not origin.is_file():
        raise FileNotFoundError(f"{origin.relative_to(ROOT)} is missing; a published bundle needs it.")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(origin, target)


if __name__ == "__main__":
    try:
        fire.Fire(build)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(f"error: {error}") from error
