# SPDX-License-Identifier: Apache-2.0
"""Settings of the site, which ``make docs`` builds with Sphinx."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

project = "Brain MRI autoencoders"
author = "The brain MRI autoencoder contributors"
release = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
]
html_theme = "furo"
html_title = f"{project} {release}"
myst_heading_anchors = 4
autosummary_generate = False
napoleon_use_ivar = True
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_mock_imports = [  # no docstring needs them: PyTorch alone is half a gigabyte
    "dcm2niix", "filelock", "fire", "h5py", "ignite", "itk", "isal", "jinja2", "matplotlib", "monai",
    "nilearn", "pandas", "PIL", "pydicom", "scipy", "skimage", "sklearn", "torch", "tensorboard", "tqdm", "xlrd",
    "yaml",
]  # fmt: skip


class _MonaiUtils(ModuleType):
    """``monai.utils`` for the site: ``optional_import`` returns a pair, which Sphinx's own mock does not."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return MagicMock(name=name)

    @staticmethod
    def optional_import(*_: Any, **__: Any) -> tuple[MagicMock, bool]:
        return MagicMock(), False


sys.modules["monai.utils"] = _MonaiUtils("monai.utils")
suppress_warnings = ["toc.multiple_toc_parents"]

_OUTSIDE = re.compile(r"\]\((?:\.\./)+(?:bundle/(\w+)/README|(CONTRIBUTING|CHANGELOG))\.md")
"""Links of pages to files of the repository that the site has under another name."""


def _link_inside(app: Sphinx, docname: str, source: list[str]) -> None:
    source[0] = _OUTSIDE.sub(lambda m: f"](/cards/{m[1]}.md" if m[1] else f"](/{m[2].lower()}.md", source[0])


def setup(app: Sphinx) -> None:
    """Rewrite the links before a page is parsed."""
    app.connect("source-read", _link_inside)
