# SPDX-License-Identifier: Apache-2.0
"""Lets a torchvision that was built for CUDA be imported beside a CPU build of torch.

Its compiled operators cannot be loaded there, and the import ends with "operator torchvision::nms does not exist".
MONAI Label imports torchvision but uses none of them for volumes, so declaring their signatures first is enough.
Installed by ``setup.sh`` with a ``.pth`` line, and only where the import fails.
"""

from __future__ import annotations

import importlib.abc
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

LIBRARIES: list[object] = []
"""Keeps the declarations alive: torch drops them with their library object."""


class DeclareBeforeTorchvision(importlib.abc.MetaPathFinder):
    """Declares the operators at the first import of torchvision, then steps aside."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch  # not at the top: this module is imported at every start of the interpreter

            library = torch.library.Library("torchvision", "DEF")
            for operator in ("nms", "qnms"):
                library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            LIBRARIES.append(library)
        return None


sys.meta_path.insert(0, DeclareBeforeTorchvision())
