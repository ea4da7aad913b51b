# SPDX-License-Identifier: Apache-2.0
"""Brain MRI autoencoders: networks, losses, corruptions, data and workflows of the MONAI bundle.

In a checkout and in a built bundle the package is called ``scripts`` (the name MONAI bundles use), where it is
installed ``brain_mri_autoencoders``. Its public names are loaded on first use: after ``import scripts as brain_ae``,
or ``import brain_mri_autoencoders as brain_ae``::

    restored = brain_ae.restore("head.nii.gz")
    restored.to_filename("restored.nii.gz")
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .demo.restoration import damage, demo_head, psnr
    from .inference.filler import fill
    from .inference.restorer import Restorer, restore
    from .latent.coder import decode, encode
    from .latent.volumes import SliceCodes
    from .recipes.recipe import find_recipes
    from .recipes.trained import TrainedRecipe

__version__ = "0.2.0"

__all__ = [
    "Restorer",
    "SliceCodes",
    "TrainedRecipe",
    "__version__",
    "damage",
    "decode",
    "demo_head",
    "encode",
    "fill",
    "find_recipes",
    "psnr",
    "restore",
]

_MODULES = {
    "demo.restoration": ("damage", "demo_head", "psnr"),
    "inference.filler": ("fill",),
    "inference.restorer": ("Restorer", "restore"),
    "latent.coder": ("decode", "encode"),
    "latent.volumes": ("SliceCodes",),
    "recipes.recipe": ("find_recipes",),
    "recipes.trained": ("TrainedRecipe",),
}

if sys.argv[:1] == ["-m"]:  # Python is looking for the module of ``python -m scripts.NAME``
    for _word in sys.orig_argv:
        if _word.startswith(f"{__name__}."):
            import_module(".commands.front", __name__).refuse_former(_word.partition(".")[2])


def __getattr__(name: str) -> Any:
    """Load a public name."""
    module = next((module for module, names in _MODULES.items() if name in names), None)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f".{module}", __name__), name)
    except ImportError as error:
        from .files.installation import missing_package

        raise ImportError(missing_package(error) or str(error), name=error.name) from error


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return __all__
