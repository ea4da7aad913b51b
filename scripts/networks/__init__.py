# SPDX-License-Identifier: Apache-2.0
"""Networks, one architecture a file, named after its class; the blocks they share are in ``blocks``.

``NETWORKS`` maps the name of each file to its class. The list is made from the folder, so a new network is one new file
whose ``__all__`` starts with its class: the tests and ``scripts.import_keras`` then find it by themselves.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...


def _find_networks() -> dict[str, type[nn.Module]]:
    modules = {info.name: import_module(f".{info.name}", __name__) for info in iter_modules(__path__) if not info.ispkg}
    return {name: getattr(module, module.__all__[0]) for name, module in modules.items()}


NETWORKS: dict[str, type[nn.Module]] = _find_networks()
"""Name of the file, as in ``--network`` and ``configs/net``, to class."""

globals().update({network.__name__: network for network in NETWORKS.values()})
__all__ = ["NETWORKS", *(network.__name__ for network in NETWORKS.values())]
