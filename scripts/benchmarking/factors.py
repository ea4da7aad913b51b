# SPDX-License-Identifier: Apache-2.0
"""What distinguishes one recipe from another, read from its merged config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from .fingerprint import PLACES, content_hash, training_config

__all__ = ["Factors", "factors"]

LOSSES = {"MSELoss": "MSE", "DSSIMLoss": "DSSIM"}
FREE = ("network_def", "reconstruction_loss", "regularisers", "corruption", "max_epochs", "seed")
"""Keys that the factors themselves describe, or that the benchmark sets for all."""
TUNED_TO_LOSS = ("early_stopping_min_delta", "lr_scheduler")
"""Thresholds of the thesis's schedule, which follow the scale of the loss."""


@dataclass(frozen=True)
class Factors:
    """The factors of the experiment.

    Attributes:
        network: class of the network.
        variant: its arguments other than the number of axes and channels; empty where there are none.
        loss: ``MSE``, ``DSSIM`` or the class of another reconstruction loss.
        l2: whether kernels are penalised.
        damage: hash of the training damage; ``none`` for clean to clean.
        design: hash of all else (data, optimiser, batch size, ...): cells of one design are comparable.
    """

    network: str
    variant: str
    loss: str
    l2: bool
    damage: str
    design: str

    def matches(self, other: Factors, varying: tuple[str, ...]) -> bool:
        """Whether all factors but the varying ones are equal."""
        return all(getattr(self, f.name) == getattr(other, f.name) for f in fields(self) if f.name not in varying)


def factors(config: Mapping[str, Any]) -> Factors:
    """Read the factors from a merged config."""
    network = dict(config["network_def"])
    shape = ("_target_", "spatial_dims", "in_channels", "out_channels")
    variant = ", ".join(f"{key}={value}" for key, value in network.items() if key not in shape)
    loss = _class_name(config["reconstruction_loss"])
    damage = config.get("corruption")
    left_out = {*PLACES, *FREE, *TUNED_TO_LOSS}
    rest = {key: value for key, value in training_config(config).items() if key not in left_out}
    return Factors(
        network=_class_name(network),
        variant=variant,
        loss=LOSSES.get(loss, loss),
        l2=any(_class_name(term) == "KernelL2" for term in config.get("regularisers") or []),
        damage=content_hash(damage) if damage else "none",
        design=content_hash(rest),
    )


def _class_name(component: Mapping[str, Any]) -> str:
    return str(component["_target_"]).rpartition(".")[2]
