# SPDX-License-Identifier: Apache-2.0
"""The claims of ``claims.yaml`` as contrasts between the models of a design. How they are judged: ``verdicts``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ...networks import THESIS_NETWORKS
from .comparisons import Contrast, Factors, matched_contrast

__all__ = ["CLAIMS", "Claim", "Design"]


@dataclass(frozen=True)
class Design:
    """Models that differ in nothing but the factors, and the baselines beside them.

    Attributes:
        name: beginning of the names of the models.
        data: name of their kind of slices.
        models: name to factors.
        baselines: names of the methods without a training.
    """

    name: str
    data: str
    models: Mapping[str, Factors]
    baselines: tuple[str, ...]

    def contrasts(self) -> list[Contrast]:
        """The contrasts of all claims that have cells here, each once."""
        return list(dict.fromkeys(c for claim in CLAIMS for c in claim.contrasts(self) if c.pairs))


@dataclass(frozen=True)
class Claim:
    """One conclusion of the thesis; ``claims.yaml`` explains the attributes."""

    name: str
    statement: str
    origin: str
    damage: str
    region: str
    metrics: Sequence[str]
    better: str = ""
    than: Sequence[str] = ()
    in_each_network: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    than_baseline: str = ""

    def contrasts(self, design: Design) -> list[Contrast]:
        """The sides that are compared in a design; the first is claimed to be better than the second."""
        if self.better:
            best, others = THESIS_NETWORKS[self.better], [THESIS_NETWORKS[name] for name in self.than]
            return [
                _matched(design, best.label, other.label, {"network": best.__name__}, {"network": other.__name__})
                for other in others
            ]
        if self.than_baseline:
            baselines = [name for name in design.baselines if self.than_baseline in name]
            return [_beside(design, baseline, network) for baseline in baselines for network in LABELS]
        (a, better), (b, worse) = self.in_each_network.items()
        damages = sorted({found.damage for found in design.models.values()} - {"none"})
        kinds = [{"damage": damage} for damage in damages] if better.get("damage") == "any" else [better]
        return [
            _matched(
                design, f"{label}: {a}", f"{label}: {b}", {"network": network, **kind}, {"network": network, **worse}
            )
            for kind in kinds
            for network, label in LABELS.items()
        ]


def _matched(design: Design, a: str, b: str, better: Mapping[str, Any], worse: Mapping[str, Any]) -> Contrast:
    return matched_contrast(a, b, design.models, (better, worse), design.name)


def _beside(design: Design, baseline: str, network: str) -> Contrast:
    """All cells of a network that saw damage in training, and a baseline."""
    trained = [name for name, found in design.models.items() if found.network == network and found.damage != "none"]
    return Contrast(LABELS[network], baseline, tuple((name, baseline) for name in trained), design.name)


LABELS = {network.__name__: network.label for network in THESIS_NETWORKS.values()}
"""The five networks of the thesis, class and name."""
CLAIMS = [Claim(**claim) for claim in yaml.safe_load(Path(__file__).with_name("claims.yaml").read_text("utf-8"))]
