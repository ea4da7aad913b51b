# SPDX-License-Identifier: Apache-2.0
"""The output of a batch in the form in which MONAI's handlers read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from monai.engines import IterationEvents, Workflow
from torch import Tensor

__all__ = ["BatchOutput", "ItemOutput"]


class BatchOutput(list[Any]):
    """The output of a batch: by number, or in a loop, its items; by name, the tensors of the whole batch.

    MONAI's handlers (``StatsHandler``, ``TensorBoardStatsHandler``, ``MLFlowHandler``) expect the list that an engine
    with ``decollate`` makes. Here an item is made when it is asked for, which costs a training nothing.

    Args:
        whole: tensors by name, each with the batch as its first axis, or scalars of the batch, such as the loss.
    """

    def __init__(self, whole: Mapping[str, Any]) -> None:
        self.whole = whole
        size = max((len(value) for value in whole.values() if isinstance(value, Tensor) and value.ndim), default=1)
        super().__init__(range(size))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self.whole[key]
        if isinstance(key, slice):
            return [self[number] for number in range(len(self))[key]]
        number = range(len(self))[key]
        return {
            name: value[number] if isinstance(value, Tensor) and value.ndim else value
            for name, value in self.whole.items()
        }

    def __iter__(self) -> Iterator[Any]:
        return (self[number] for number in range(len(self)))


class ItemOutput:
    """Give the output of each batch the form of a :class:`BatchOutput`."""

    def attach(self, engine: Workflow) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def __call__(self, engine: Workflow) -> None:
        """Wrap the output."""
        if isinstance(engine.state.output, dict):
            engine.state.output = BatchOutput(engine.state.output)
