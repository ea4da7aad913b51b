# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib

import pytest

from scripts.files.hashes import content_hash, file_hash


def test_values_have_the_same_hash_in_any_order_of_keys_and_no_other():
    assert content_hash({"a": 1, "b": [1.5, None]}) == content_hash({"b": [1.5, None], "a": 1})
    others = [{"a": 1, "b": [None, 1.5]}, {"a": "1", "b": [1.5, None]}, {"a": 1}, []]
    assert len({content_hash(other) for other in [{"a": 1, "b": [1.5, None]}, *others]}) == 5
    assert content_hash([]) == hashlib.sha256(b"[]").hexdigest()[:16]
    with pytest.raises(TypeError):
        content_hash({1, 2})  # a text of it may be the same for others


def test_a_file_has_the_hash_of_its_content_or_none(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    assert file_hash(tmp_path / "a") == hashlib.sha256(b"x").hexdigest()
    assert file_hash(tmp_path / "nowhere") == file_hash(tmp_path) == ""
