# SPDX-License-Identifier: Apache-2.0
"""A handler that a config defines elsewhere."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["defined"]

Handler = TypeVar("Handler")


def defined(handler: Handler) -> Handler:
    """Return ``handler``: for a list of handlers, in which MONAI's ``check_properties`` allows no plain reference.

    Example of a config::

        train:
          handlers:
          - _target_: scripts.handlers.defined
            handler: "@early_stop"
    """
    return handler
