# SPDX-License-Identifier: Apache-2.0
"""One iteration of the evaluation, all methods on all damage of one subject, and its progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from ignite.engine import Engine, EventEnum, Events
from torch import Tensor
from tqdm import tqdm

from ..baselines import identity
from ..corruptions.undersampling import Acquisition
from ..metrics import RestorationMetrics
from .conditions import Condition
from .methods import Method
from .subjects import SubjectSlices, subject_slices

__all__ = ["ConditionProgress", "EvaluationEvents", "RestoreAndMeasure"]


class EvaluationEvents(EventEnum):
    """Fired by :class:`~scripts.evaluation.step.RestoreAndMeasure`."""

    CONDITION_COMPLETED = "condition_completed"


class ConditionProgress:
    """Handler with a progress bar over the conditions of all subjects, since a single subject takes long.

    Args:
        conditions: number of conditions of each subject.
    """

    def __init__(self, conditions: int) -> None:
        self.conditions = conditions

    def attach(self, engine: Engine) -> None:
        """Attach to the evaluator."""
        engine.register_events(*EvaluationEvents)
        engine.add_event_handler(Events.EPOCH_STARTED, self._open)
        engine.add_event_handler(EvaluationEvents.CONDITION_COMPLETED, lambda _: self.bar.update())
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._show)
        engine.add_event_handler(Events.EPOCH_COMPLETED | Events.TERMINATE, lambda _: self.bar.close())
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._fail)

    def _open(self, engine: Engine) -> None:
        subjects = engine.state.epoch_length or 0
        self.bar = tqdm(total=subjects * self.conditions, unit="damage", desc="evaluating", dynamic_ncols=True)

    def _show(self, engine: Engine) -> None:
        self.bar.set_postfix_str(f"subject {engine.state.iteration} of {engine.state.epoch_length}", refresh=False)

    def _fail(self, engine: Engine, error: BaseException) -> None:
        self.bar.close()
        raise error  # ignite swallows an error that a handler of this event does not raise again


class RestoreAndMeasure:
    """``iteration_update`` of a MONAI ``Evaluator`` whose batches are single subjects.

    Args:
        methods: methods by name, see :data:`~scripts.evaluation.methods.Method`. One that needs holes, or
            k-space, has rows only for damage that makes some, or undersamples it.
        conditions: conditions under which they are compared.
        device: device on which slices are damaged and scored.
    """

    def __init__(
        self, methods: Mapping[str, Method], conditions: Sequence[Condition], device: torch.device | str = "cpu"
    ) -> None:
        self.methods = dict(methods)
        self.conditions = list(conditions)
        self.device = device

    @torch.no_grad()
    def __call__(self, engine: Engine | None, item: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Damage, restore and score a subject.

        Args:
            engine: engine that fires an event after each condition.
            item: transformed item, see :func:`~scripts.evaluation.subjects.subject_slices`.

        Returns:
            One row for each condition, method and region: ``subject``, ``corruption``, ``severity``, ``region``,
            ``method``, the number of ``slices`` and the metrics. The region ``hole`` exists where a part of the head
            was erased.
        """
        subject = subject_slices(item, self.device)
        scores = RestorationMetrics(subject.target, subject.regions)
        rows = []
        for condition in self.conditions:
            holes = subject.holes(condition.corruption)
            damaged, target = subject.pair(condition.corruption)
            regions = subject.with_holes(holes, target)
            same = target is subject.target and "hole" not in regions
            scores_here = scores if same else RestorationMetrics(target, regions)
            for name, restored in self._restored(damaged, holes, self._acquisition(subject, condition)):
                for region, values in scores_here(restored).items():
                    damage = {"corruption": condition.kind, "severity": condition.severity}
                    scored = {"region": region, "method": name, "slices": len(subject.target), **values}
                    rows.append({"subject": subject.subject, **damage, **scored})
            if engine is not None:
                engine.fire_event(EvaluationEvents.CONDITION_COMPLETED)
        return rows

    def _acquisition(self, subject: SubjectSlices, condition: Condition) -> Acquisition | None:
        needed = any(getattr(method, "needs_kspace", False) for method in self.methods.values())
        return subject.acquisition(condition.corruption) if needed else None

    def _restored(
        self, damaged: Tensor, holes: Tensor | None, acquisition: Acquisition | None
    ) -> Iterator[tuple[str, Tensor]]:
        for name, method in self.methods.items():
            if getattr(method, "needs_kspace", False):
                if acquisition is not None:
                    yield name, method(damaged, *acquisition)
            elif not getattr(method, "needs_holes", False):
                yield name, method(damaged)
            elif holes is not None:
                yield name, method(damaged, holes)

    @torch.no_grad()
    def pictures(
        self, subject: SubjectSlices, condition: Condition, choose: Callable[[Tensor], int]
    ) -> tuple[int, dict[str, Tensor]]:
        """Restore one slice again, for a figure.

        Args:
            subject: slices of the subject.
            condition: condition under which the slice is restored.
            choose: function from the squared errors of the first method, shape ``(N,)``, to the position of the slice.

        Returns:
            Index of the slice in the volume, and images ``(H, W)``: ``clean``, ``damaged`` and that of each method.
        """
        (damaged, target), holes = subject.pair(condition.corruption), subject.holes(condition.corruption)
        acquisition = self._acquisition(subject, condition)
        _, restored = next(self._restored(damaged, holes, acquisition))
        position = choose((restored - target).square().flatten(1).mean(dim=1))
        one = slice(position, position + 1)
        images = {"clean": target[one], "damaged": damaged[one]}
        known = None if acquisition is None else Acquisition(*(part[one] for part in acquisition))
        restorations = self._restored(damaged[one], None if holes is None else holes[one], known)
        images |= {name: image for name, image in restorations if self.methods[name] is not identity}
        return int(subject.indices[position]), {name: image[0, 0].float().cpu() for name, image in images.items()}
