# SPDX-License-Identifier: Apache-2.0
"""What is installed beside the package, and where an installed package may write."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["OPTIONAL_PACKAGES", "cache_folder", "missing_package"]

OPTIONAL_PACKAGES: dict[str, tuple[str, str]] = {
    "dcm2niix": ("dcm2niix", "dicom"),
    "filelock": ("filelock", "train"),
    "h5py": ("h5py", "train"),
    "isal": ("isal", "speed"),
    "itk": ("itk", "dicom"),
    "jinja2": ("jinja2", "report"),
    "matplotlib": ("matplotlib", "report"),
    "nilearn": ("nilearn", "train"),
    "onnx": ("onnx", "export"),
    "onnxruntime": ("onnxruntime", "onnx"),
    "pandas": ("pandas", "train"),
    "PIL": ("pillow", "report"),
    "pydicom": ("pydicom", "dicom"),
    "scipy": ("scipy", "train"),
    "skimage": ("scikit-image", "train"),
    "sklearn": ("scikit-learn", "train"),
    "tensorboard": ("tensorboard", "train"),
    "tqdm": ("tqdm", "train"),
    "xlrd": ("xlrd", "train"),
}
"""Module to its package, and to the extra of the distribution ``brain-mri-autoencoders`` that brings it."""

REQUIRED_PACKAGES = {
    "fire": "fire", "ignite": "pytorch-ignite", "monai": "monai", "torch": "torch", "yaml": "pyyaml",
}  # fmt: skip
"""Module to its package, of those that come with the distribution, unless it was installed without dependencies."""


def missing_package(error: BaseException) -> str | None:
    """Say in one line which package an import lacked, and how to install it.

    Args:
        error: any exception.

    Returns:
        The line; ``None`` where the error is another one, or the module is none of :data:`OPTIONAL_PACKAGES`.

    Example:
        >>> missing_package(ModuleNotFoundError(name="skimage.filters"))
        "the package scikit-image is missing: pip install scikit-image, or 'brain-mri-autoencoders[train]'."
    """
    named = re.search(r"No module named '(\w+)|import of (\w+)", str(error))
    module = (getattr(error, "name", None) or (named and (named[1] or named[2])) or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and module in REQUIRED_PACKAGES:
        package = REQUIRED_PACKAGES[module]
        return f"the package {package} is missing: pip install {package}. Without it goes restore --runtime onnx alone."
    if not isinstance(error, ImportError) or module not in OPTIONAL_PACKAGES:
        return None
    package, extra = OPTIONAL_PACKAGES[module]
    return f"the package {package} is missing: pip install {package}, or 'brain-mri-autoencoders[{extra}]'."


def cache_folder() -> Path:
    """Folder of what can be made again: ``eval`` in the current folder of a checkout or a bundle.

    Where the package is installed, commands run anywhere, also where nothing can be written: it is the cache folder of
    the user (``XDG_CACHE_HOME``, by default ``~/.cache``).
    """
    package = __name__.partition(".")[0]
    if package == "scripts":
        return Path("eval")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / package
