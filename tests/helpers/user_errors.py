# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from scripts.files.errors import one_line


@contextmanager
def user_error(kind: type[Exception], message: str) -> Iterator[None]:
    """The block evaluates a config and raises, within MONAI's wrapping, an exception that a command line shortens."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        yield
    error: BaseException = caught.value
    while type(error) is RuntimeError and error.__cause__ is not None:
        error = error.__cause__
    assert isinstance(error, kind), repr(error)
    assert re.search(message, str(error))
    assert one_line(caught.value) == f"error: {error}"
