# SPDX-License-Identifier: Apache-2.0
"""The name under which the examples of the documentation know the package, whatever it is called where it lies."""

from __future__ import annotations

from typing import Any

import pytest

import scripts


@pytest.fixture(autouse=True)
def _name_in_examples(doctest_namespace: dict[str, Any]) -> None:
    doctest_namespace["brain_ae"] = scripts
