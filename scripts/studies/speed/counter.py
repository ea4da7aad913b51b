# SPDX-License-Identifier: Apache-2.0
"""Count the bytes and the arithmetic of every torch operation in a block."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

__all__ = ["Counted", "Counter"]

_aten = torch.ops.aten
#: They read no more of their input than they write.
_PICKING = {_aten.index, _aten.index_select, _aten.gather, _aten.take, _aten.embedding}


@dataclass(frozen=True)
class Counted:
    """What one slice costs, whatever the device.

    Attributes:
        bytes_moved: read and written.
        operations: floating-point operations of convolutions and matrix products by dtype ("float32"); a
            multiplication and its addition are two.
    """

    bytes_moved: float = 0.0
    operations: Mapping[str, float] = field(default_factory=dict)


class Counter(TorchDispatchMode):
    """Adds up what the operations of this thread read, write and compute.

    Bytes are the sizes of all inputs and outputs of each operation; views cost nothing. This is what an implementation
    that runs one operation after the other, each from memory to memory, must move: an estimate, too high where
    operations are fused or data stay in a cache, too low where one makes a temporary copy. Operations are counted with
    the formulas of ``torch.utils.flop_counter``. Neither sees other threads, NumPy or a replayed CUDA graph.

    Example:
        >>> with Counter() as counter:
        ...     _ = torch.zeros(4) + torch.zeros(4)
        >>> counter.bytes_moved  # two outputs of zeros, two inputs and an output of the sum, 16 bytes each
        80
    """

    def __init__(self) -> None:
        super().__init__()
        self.bytes_moved = 0
        self.operations: dict[str, int] = defaultdict(int)

    def per_slice(self, slices: int) -> Counted:
        """The totals divided by the number of slices that were processed."""
        return Counted(self.bytes_moved / slices, {name: count / slices for name, count in self.operations.items()})

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run one operation and count it."""
        kwargs = kwargs or {}
        packet = func._overloadpacket
        if packet not in flop_registry:  # in inference mode, composed operations arrive whole
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        if not func.is_view:
            read, written = _sizes((args, kwargs)), _sizes(result)
            if packet in _PICKING:
                read = [min(size, sum(written)) for size in read]
            self.bytes_moved += sum(read) + (sum(written) or _written_in_place(func, args, kwargs))
        if packet in flop_registry:
            dtype = next(leaf.dtype for leaf in tree_leaves(result) if isinstance(leaf, Tensor))
            self.operations[str(dtype).removeprefix("torch.")] += flop_registry[packet](*args, **kwargs, out_val=result)
        return result


def _sizes(values: Any) -> list[int]:
    """Bytes of each tensor; of one that was expanded, those that exist."""
    tensors = (leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor))
    return [min(t.numel() * t.element_size(), t.untyped_storage().nbytes()) for t in tensors]


def _written_in_place(func: Any, args: tuple, kwargs: dict[str, Any]) -> int:
    """Bytes that an operation without a result writes into its arguments, such as a fused optimiser's step."""
    named = dict(zip((argument.name for argument in func._schema.arguments), args, strict=False)) | kwargs
    changed = [a.name for a in func._schema.arguments if a.alias_info is not None and a.alias_info.is_write]
    return sum(_sizes([named.get(name) for name in changed]))
