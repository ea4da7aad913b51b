# SPDX-License-Identifier: Apache-2.0
"""The test subjects, read when their turn comes."""

from __future__ import annotations

from typing import Any

from monai.data import Dataset

from ..data.volumes import failure_reason
from ..errors import clean_exit

__all__ = ["SubjectDataset"]


class SubjectDataset(Dataset):
    """A MONAI dataset whose items are single subjects; a file that cannot be read ends the run with one line."""

    def _transform(self, index: int) -> Any:
        with clean_exit():
            try:
                return super()._transform(index)
            except Exception as error:  # readers and transforms raise what they like: name the file
                raise ValueError(f"{self.data[index]['image']} could not be read: {failure_reason(error)}") from error
