# SPDX-License-Identifier: Apache-2.0
"""Build the bundles that are published: self-contained, one flat JSON config for each workflow, no code too many.

In the repository every network, loss and corruption exists once, as a fragment that is merged when a command runs.
MONAI Label, MONAI Deploy and the model zoo read exactly one file for each workflow, so a published bundle is generated
from the four files of ``bundle/<name>/``: ``recipe.yaml`` names the recipe, ``metadata.json`` says what differs from
``configs/metadata.json``, ``README.md`` is the card and ``model.pt`` holds the weights. A bundle of your own is a copy
of such a folder under another name, with your weights and your words.

    python bundle/build.py                                  # every bundle, into dist/
    python bundle/build.py brain_mri_autoencoder --output_dir /elsewhere
"""

from __future__ import annotations

import ast
import json
import math
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import fire
from monai.bundle import ConfigParser
from monai.utils import ensure_tuple

ROOT = Path(__file__).resolve().parent.parent
"""The repository, which is itself a bundle."""

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from scripts.recipes.code import needed_files  # noqa: E402
from scripts.recipes.places import PACKAGE_DIR  # noqa: E402
from scripts.recipes.recipe import Recipe, find_recipe, merged_config  # noqa: E402

__all__ = ["build"]

RESERVED_NAMES = ("classification", "deepedit", "deepgrow", "detection")
"""Words that make MONAI Label take a bundle for another kind of application and answer with an error."""

INFERENCE = "configs/inference.yaml"
"""The inference config, unless the bundle's recipe.yaml names others as its ``inference_file``."""

RECIPE_SLOTS = ("network_def", "spatial_dims", "volume_transforms", "attributes", "centre", "size", "min_area_mm2")
"""Keys of an inference config whose values are those of the recipe, or of its dataset."""

NUMBERS = re.compile(r"'/(configs/\w+/\w+\.json)'")
"""A file of numbers that a config reads, such as a calibration: it goes along."""

BINARY = (".npz", ".pt")

MODULES = {"pillow": "PIL", "scikit-image": "skimage", "scikit-learn": "sklearn"}
"""Packages that are imported under another name."""


def build(*names: str, output_dir: str = "dist") -> list[str]:
    """Write self-contained bundles, each in a folder of its own name.

    Args:
        names: folders of ``bundle/`` to build; all of them by default.
        output_dir: folder of the bundles; a bundle of the same name there is replaced.

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
        configs = {workflow: _checked(config) for workflow, config in _configs(name).items()}
        for workflow, config in configs.items():
            _write_json(bundle / f"configs/{workflow}.json", config)
        code = _write_code(configs, bundle / "scripts")
        metadata = _metadata(source, code)
        _write_json(bundle / "configs/metadata.json", metadata)
        _write_json(bundle / "configs/onnx_export.json", _onnx_arguments(metadata))
        for origin, place in {
            ROOT / "configs/logging.conf": "configs/logging.conf",
            ROOT / "LICENSE": "LICENSE",
            ROOT / "docs/data_license.txt": "docs/data_license.txt",
            source / "README.md": "docs/README.md",
            source / "model.pt": "models/model.pt",
        }.items():
            _copy(origin, bundle / place)
        for file in {found for value in _strings(configs["inference"]) for found in NUMBERS.findall(value)}:
            _copy(ROOT / file, bundle / file)
        shutil.rmtree(target, ignore_errors=True)
        bundle.rename(target)
    return target


def _configs(name: str) -> dict[str, dict[str, Any]]:
    """A flat config for training and one for inference; the overlay for several GPUs stays one, as in the model zoo."""
    changes = ConfigParser.load_config_file(ROOT / "bundle" / name / "recipe.yaml")
    inference_files = ensure_tuple(changes.pop("inference_file", INFERENCE))
    recipe = find_recipe(str(ROOT / changes.pop("args_file")))
    train = merged_config(recipe, {**changes, "recipe": name})
    inference = merged_config(Recipe(name, inference_files), {"weights": "$@bundle_root + '/models/model.pt'"})
    own = {**train["train"]["dataset"], **train}
    for slot in RECIPE_SLOTS:
        if inference.get(slot) is not None and slot in own:
            inference[slot] = own[slot]
            for value in _strings(own[slot]):
                for needed in re.findall(r"@(\w+)", value):
                    inference.setdefault(needed, train[needed])
    for step in inference["initialize"]:
        if "config_files" in step and isinstance(step, dict):
            step["config_files"] = ["inference"]
    multi_gpu = ConfigParser.load_config_file(ROOT / "configs/hw/multi_gpu.yaml")
    return {"train": train, "multi_gpu_train": multi_gpu, "inference": inference}


def _checked(config: Any) -> Any:
    """A config as JSON can hold it. Refuse one that needs another file of the repository."""
    if isinstance(config, dict):
        return {key: _checked(value) for key, value in config.items()}
    if isinstance(config, list):
        return [_checked(value) for value in config]
    if isinstance(config, float) and not math.isfinite(config):
        return f"$float('{config}')"  # JSON has no infinity
    named = NUMBERS.sub("", config) if isinstance(config, str) else ""
    if named and (named.startswith("%") or "bundle/" in named or "configs/" in named):
        raise ValueError(f"config value '{config}' names a file that is not in the bundle; move it into scripts/.")
    return config


def _strings(config: Any) -> Iterator[str]:
    """Every string value of a nested config."""
    if isinstance(config, str):
        yield config
    elif isinstance(config, dict | list):
        for value in config.values() if isinstance(config, dict) else config:
            yield from _strings(value)


def _write_code(configs: dict[str, dict[str, Any]], package: Path) -> str:
    """Write the modules that the configs reach, and return all their text."""
    named = [{key: value for key, value in config.items() if key != "imports"} for config in configs.values()]
    files = set(needed_files(named))
    packages = {folder for file in files for folder in file.parents if folder.is_relative_to(PACKAGE_DIR)}
    texts = {folder / "__init__.py": _slim_init(folder / "__init__.py", files) for folder in packages}
    for weights in {file for file in files if file.suffix in BINARY}:
        _copy(weights, package / weights.relative_to(PACKAGE_DIR))
        files.remove(weights)
    texts |= {file: file.read_text(encoding="utf-8") for file in files if file != PACKAGE_DIR / "__init__.py"}
    for file, text in texts.items():
        target = package / file.relative_to(PACKAGE_DIR)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(re.sub(r"\bpython -m scripts(?=[\s`)])", "brain-ae", text), encoding="utf-8")  # not in here
    return "\n".join(texts.values())


def _slim_init(file: Path, files: Iterable[Path]) -> str:
    """An ``__init__.py`` with its docstring, its constants, and its imports from those modules that are copied."""
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    kept, names = [], []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level and node.module:
            module = file.parents[node.level - 1].joinpath(*node.module.split(".")).with_suffix(".py")
            if module in files:
                kept.append(ast.unparse(node))
                names += [alias.asname or alias.name for alias in node.names]
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            kept.append(ast.unparse(node))
    exported = [f"__all__ = {sorted(names)}"] if names else []
    docstring = ast.get_source_segment(text, tree.body[0]) or ""
    return "\n".join(["# SPDX-License-Identifier: Apache-2.0", docstring, *kept, *exported, ""])


def _metadata(source: Path, code: str) -> dict[str, Any]:
    """Metadata of all bundles, over them those of this one; of the optional packages those that its code imports."""
    metadata: dict[str, Any] = ConfigParser.load_config_files(
        [ROOT / "configs/metadata.json", source / "metadata.json"]
    )
    metadata["optional_packages"] = {
        package: version
        for package, version in metadata["optional_packages"].items()
        if package not in metadata["required_packages_version"]
        and re.search(rf"(?m)^(?=.*import).*\b{MODULES.get(package, package)}\b", code)
    }
    return metadata


def _onnx_arguments(metadata: dict[str, Any]) -> dict[str, Any]:
    """Arguments of MONAI's ``onnx_export``, which without any fixes all sizes: here those stay free that may vary."""
    image = metadata["network_data_format"]["inputs"]["image"]
    sizes = image["spatial_shape"]
    free = [axis for axis, size in enumerate(sizes, 2) if isinstance(size, str)]
    return {
        "net_id": "network_def",
        "filepath": "models/model.onnx",
        "ckpt_file": "models/model.pt",
        "meta_file": "configs/metadata.json",
        "config_file": "configs/inference.json",
        "input_shape": [2, image["num_channels"], *(64 if isinstance(size, str) else size for size in sizes)],
        "converter_kwargs": {
            "input_names": ["image"],
            "output_names": ["pred"],
            "dynamic_axes": {"image": [0, *free]},  # JSON has no numbers for the keys of names
        },
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
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
