# SPDX-License-Identifier: Apache-2.0
"""An exported model for all tests of the runtime onnx."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.exported import write_small_restorer


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folder of a small exported restorer, and its weights."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    return write_small_restorer(tmp_path_factory.mktemp("small"))
