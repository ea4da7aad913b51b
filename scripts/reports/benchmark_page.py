# SPDX-License-Identifier: Apache-2.0
"""The benchmark as a Markdown document, with pictures of synthetic heads only."""

from __future__ import annotations

from pathlib import Path

from ..benchmarking.results import Results

__all__ = ["write_benchmark_page"]


def write_benchmark_page(results: Results, path: Path) -> None:
    """Write it."""
    raise NotImplementedError
