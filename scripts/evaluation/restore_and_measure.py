# SPDX-License-Identifier: Apache-2.0
"""One iteration of the evaluation: all methods on all damage of one subject."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from ignite.engine import Engine
from torch import Tensor

from ..baselines import identity
from ..metrics import RestorationMetrics
from .conditions import Condition
from .progress import EvaluationEvents
from .subject_slices import SubjectSlices, hole_region, subject_slices

__all__ = ["RestoreAndMeasure"]


class RestoreAndMeasure:
    """``iteration_update`` of a MONAI ``Evaluator`` whose batches are single subjects.

    Args:
        methods: name to function ``(N, 1, H, W) -> (N, 1, H, W)``; those that are ``None`` are left out.
        conditions: the damage.
        device: where slices are damaged and scored.
    """

    def __init__(
        self,
        methods: Mapping[str, Callable[[Tensor], Tensor] | None],
        conditions: Sequence[Condition],
        device: torch.device | str = "cpu",
    ) -> None:
        self.methods = {name: method for name, method in methods.items() if method is not None}
        self.conditions = list(conditions)
        self.device = device

    @torch.no_grad()
    def __call__(self, engine: Engine | None, item: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Damage, restore and score a subject.

        Args:
            engine: told of every condition that is done.
            item: a transformed item, see :func:`~scripts.evaluation.subject_slices.subject_slices`.

        Returns:
            One row for each condition, method and region: ``subject``, ``corruption``, ``severity``, ``region``,
            ``method``, the number of ``slices`` and the metrics.
        """
        subject = subject_slices(item, self.device)
        scores = RestorationMetrics(subject.target, subject.regions)
        rows = []
        for condition in self.conditions:
            damaged = subject.damage(condition.corruption)
            if condition.kind == "holes":  # here alone the damage has a place of its own
                scores_here = RestorationMetrics(
                    subject.target, {**subject.regions, "hole": hole_region(subject, damaged)}
                )
            else:
                scores_here = scores
            for name, method in self.methods.items():
                for region, values in scores_here(method(damaged)).items():
                    rows.append(
                        {
                            "subject": subject.subject,
                            "corruption": condition.kind,
                            "severity": condition.severity,
                            "region": region,
                            "method": name,
                            "slices": len(subject.target),
                            **values,
                        }
                    )
            if engine is not None:
                engine.fire_event(EvaluationEvents.CONDITION_COMPLETED)
        return rows

    @torch.no_grad()
    def pictures(
        self, subject: SubjectSlices, condition: Condition, choose: Callable[[Tensor], int]
    ) -> tuple[int, dict[str, Tensor]]:
        """Restore one slice again, for a figure.

        Args:
            subject: whose slice.
            condition: its damage.
            choose: from the squared error of the first method (the network's), shape ``(N,)``, to the slice's position.

        Returns:
            The slice's place in the volume, and images ``(H, W)``: ``clean``, ``damaged`` and each method's.
        """
        damaged = subject.damage(condition.corruption)
        first = next(iter(self.methods.values()))
        position = choose((first(damaged) - subject.target).square().flatten(1).mean(dim=1))
        one = slice(position, position + 1)
        images = {"clean": subject.target[one], "damaged": damaged[one]}
        images |= {name: method(damaged[one]) for name, method in self.methods.items() if method is not identity}
        return int(subject.indices[position]), {name: image[0, 0].float().cpu() for name, image in images.items()}
