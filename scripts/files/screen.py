# SPDX-License-Identifier: Apache-2.0
"""Lines on the screen while a run goes on."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any

from .errors import printable

try:
    from tqdm import tqdm
except ImportError:
    tqdm = None

__all__ = ["tell", "warn"]

logger = logging.getLogger(__name__)


def tell(line: str) -> None:
    """Write a line to standard error, above the progress bar where there is one."""
    if tqdm is not None:
        tqdm.write(line, file=sys.stderr)
    else:
        sys.stderr.write(f"{line}\n")


def warn(name: str, facts: Mapping[str, Any]) -> None:
    """Log the ``warnings`` of what was found out about a volume."""
    for line in facts.get("warnings", ()):
        logger.warning("warning: %s: %s", printable(name), line)
