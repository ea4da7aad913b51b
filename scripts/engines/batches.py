# SPDX-License-Identifier: Apache-2.0
"""``prepare_batch`` functions for MONAI's engines: images damaged on the device, with attributes or labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor

from ..corruptions import Corruption

__all__ = ["AttributeBatch", "CorruptBatch", "LabelBatch", "UndersampledBatch"]


class CorruptBatch:
    """``prepare_batch`` for MONAI's trainer and evaluator that damages whole batches on the device.

    As a handler of the trainer it follows the epochs, so that the damage of a slice differs in each; otherwise the
    epoch stays 0 and the damage is always the same, as validation needs it.

    Args:
        corruption: corruption of the images; ``None`` leaves them clean. Its background steps change the target too.
    """

    def __init__(self, corruption: Corruption | None) -> None:
        self.corruption = corruption
        self.epoch = 0

    def attach(self, engine: Engine) -> None:
        """Follow the epochs of ``engine``."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._follow)

    def _follow(self, engine: Engine) -> None:
        self.epoch = engine.state.epoch

    def __call__(
        self, batchdata: Mapping[str, Tensor], device: torch.device, non_blocking: bool = False, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Damaged and clean images, both ``(B, C, *spatial)`` on ``device``."""
        clean = batchdata["image"].to(device=device, non_blocking=non_blocking, **kwargs)
        if self.corruption is None:
            return clean, clean
        return self.corruption.pair(clean, self._keys(batchdata, device, non_blocking))

    def _keys(
        self, batchdata: Mapping[str, Tensor], device: torch.device, non_blocking: bool
    ) -> dict[str, Tensor | int]:
        keys = {
            name: batchdata[name].to(device, non_blocking=non_blocking)
            for name in ("subject", "slice", "brain")
            if name in batchdata
        }
        return {**keys, "epoch": self.epoch}


class AttributeBatch(CorruptBatch):
    """``prepare_batch`` that passes the batch's ``attributes`` to the network besides its image.

    MONAI's engines call the network as ``network(image, attributes=...)``, and a network of
    :mod:`scripts.networks.latent` keeps them for the loss. Otherwise like :class:`~scripts.engines.CorruptBatch`.

    Args:
        corruption: see :class:`~scripts.engines.CorruptBatch`.
    """

    def __call__(  # type: ignore[override]
        self, batchdata: Mapping[str, Tensor], device: torch.device, non_blocking: bool = False, **kwargs: Any
    ) -> tuple[Tensor, Tensor, tuple[()], dict[str, Tensor]]:
        """Input and target ``(B, C, H, W)``, no further arguments, and ``attributes`` ``(B, L)``."""
        image, target = super().__call__(batchdata, device, non_blocking, **kwargs)
        attributes = batchdata["attributes"].to(device=device, non_blocking=non_blocking)
        return image, target, (), {"attributes": attributes}


class LabelBatch(CorruptBatch):
    """``prepare_batch`` whose target is the batch's ``label``, and whose input is the damaged image.

    Args:
        corruption: corruption of the image, see :class:`~scripts.engines.CorruptBatch`.
        show_label: whether to pass the label to the network too, which MONAI's engines then call as
            ``network(image, mask=label)``.
    """

    def __init__(self, corruption: Corruption | None, show_label: bool = False) -> None:
        super().__init__(corruption)
        self.show_label = show_label

    def __call__(  # type: ignore[override]
        self, batchdata: Mapping[str, Tensor], device: torch.device, non_blocking: bool = False, **kwargs: Any
    ) -> tuple[Tensor, Tensor, tuple[()], dict[str, Tensor]]:
        """Image ``(B, 1, H, W)``, label ``(B, C, H, W)``, no further arguments, and ``mask`` where it is shown."""
        image, _ = super().__call__(batchdata, device, non_blocking, **kwargs)
        label = batchdata["label"].to(device=device, non_blocking=non_blocking)
        return image, label, (), {"mask": label} if self.show_label else {}


class UndersampledBatch(CorruptBatch):
    """``prepare_batch`` that passes what was measured of k-space on, besides the zero-filled image.

    MONAI's engines call the inferer as ``inferer(image, network, kspace=..., measured=...)``, see
    :class:`~scripts.inference.data_consistency.DataConsistency`. Otherwise like :class:`~scripts.engines.CorruptBatch`.

    Args:
        corruption: see :class:`~scripts.engines.CorruptBatch`; it must have a step that undersamples.
    """

    def __call__(  # type: ignore[override]
        self, batchdata: Mapping[str, Tensor], device: torch.device, non_blocking: bool = False, **kwargs: Any
    ) -> tuple[Tensor, Tensor, tuple[()], dict[str, Tensor]]:
        """Input and target ``(B, C, H, W)``, no further arguments, and those of the inferer.

        Raises:
            ValueError: the corruption leaves k-space whole.
        """
        image, target = super().__call__(batchdata, device, non_blocking, **kwargs)
        clean = batchdata["image"].to(image, non_blocking=non_blocking)
        keys = self._keys(batchdata, device, non_blocking)
        acquisition = None if self.corruption is None else self.corruption.acquisition(clean, keys)
        if acquisition is None:
            raise ValueError("no step of the corruption undersamples k-space: add a RandUndersampling.")
        return image, target, (), acquisition._asdict()
