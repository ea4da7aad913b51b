# SPDX-License-Identifier: Apache-2.0
"""One progress bar for the evaluation, with the time left."""

from __future__ import annotations

from ignite.engine import Engine, EventEnum, Events
from tqdm import tqdm

__all__ = ["ConditionProgress", "EvaluationEvents"]


class EvaluationEvents(EventEnum):
    """Fired by :class:`~scripts.evaluation.restore_and_measure.RestoreAndMeasure`."""

    CONDITION_COMPLETED = "condition_completed"


class ConditionProgress:
    """Handler that counts the conditions of all subjects: a subject takes long enough to wonder.

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
        raise error  # ignite swallows what a handler of this event does not raise again
