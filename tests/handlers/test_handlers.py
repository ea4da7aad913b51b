# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest
import torch
from ignite.engine import Engine, Events

from scripts.handlers import BestModel, EarlyStop, EpochSeed, Progress, ResumeCheckpoint
from scripts.handlers.image_panel import panel


def engines(losses: list[float]) -> tuple[Engine, Engine]:
    """A trainer whose evaluator reports these validation losses, epoch by epoch."""
    trainer, evaluator = (Engine(lambda *_: {"loss": torch.tensor(0.0)}) for _ in range(2))
    for engine in (trainer, evaluator):
        engine.state.rank = 0
        engine.state.device = torch.device("cpu")

    def validate() -> None:
        evaluator.run([0], 1)

    @evaluator.on(Events.COMPLETED)
    def report(engine: Engine) -> None:
        engine.state.metrics["val_loss"] = losses[trainer.state.epoch - 1]

    trainer.add_event_handler(Events.EPOCH_COMPLETED, validate)
    return trainer, evaluator


def keras_stopping_epoch(losses: list[float], patience: int, min_delta: float) -> int:
    """``tf.keras.callbacks.EarlyStopping.on_epoch_end`` written out."""
    best, wait = math.inf, 0
    for epoch, loss in enumerate(losses, 1):
        wait += 1
        if loss < best - min_delta:
            best, wait = loss, 0
        if wait >= patience:
            return epoch
    return len(losses)


@pytest.mark.parametrize(
    "losses", [[5, 4, 3, 3, 3, 3, 3], [5, 4.95, 4.9, 4.85, 4.8, 4.75, 4.7], [1, 2, 0.5, 2, 2, 2, 2]], ids=str
)
def test_early_stopping_follows_keras(losses):
    trainer, evaluator = engines(losses)
    EarlyStop(evaluator, patience=3, min_delta=0.1).attach(trainer)
    trainer.run([0], len(losses))
    assert trainer.state.epoch == keras_stopping_epoch(losses, 3, 0.1)


def test_best_model_keeps_the_lowest_loss_and_its_record_survives(tmp_path):
    network = torch.nn.Linear(1, 1, bias=False)
    trainer, evaluator = engines([3.0, 1.0, 2.0])
    best = BestModel(network, tmp_path / "model.pt")
    best.attach(evaluator)
    trainer.add_event_handler(Events.EPOCH_STARTED, lambda e: network.weight.data.fill_(e.state.epoch))
    trainer.run([0], 3)
    assert torch.load(tmp_path / "model.pt", weights_only=True)["weight"].item() == 2
    again = BestModel(network, tmp_path / "model.pt")
    again.load_state_dict(best.state_dict())
    assert again.best == 1.0


def test_epoch_seed_gives_each_epoch_its_own_numbers():
    trainer, _ = engines([0.0] * 3)
    EpochSeed(7).attach(trainer)
    drawn: list[float] = []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda _: drawn.append(torch.rand(1).item()))
    trainer.run([0], 3)
    first = list(drawn)
    drawn.clear()
    trainer.state.epoch = trainer.state.iteration = 0
    trainer.run([0], 3)
    assert drawn == first
    assert len(set(first)) == 3


def test_resuming_without_a_checkpoint_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="start without --resume true"):
        ResumeCheckpoint(tmp_path / "checkpoint.pt", {}, resume=True)


def test_panel_shows_four_columns_and_a_row_for_each_image():
    images = torch.rand(3, 1, 8, 10)
    picture = panel(images, images, images)
    assert picture.shape == (1, 24, 40)
    assert picture[..., 30:].max() == 0  # no error
    assert panel(*[torch.rand(2, 1, 8, 10, 6)] * 3).shape == (1, 16, 40)


def test_the_progress_bar_leaves_single_dimensions_out(capsys):
    trainer, evaluator = engines([0.5])
    evaluator.add_event_handler(Events.COMPLETED, lambda e: e.state.metrics.update({"kl": 3.0, "kl_00": 1.0}))
    Progress(evaluator).attach(trainer)
    trainer.run([0], 1)
    shown = capsys.readouterr().err
    assert "val_loss=0.5" in shown
    assert "kl=3" in shown
    assert "kl_00" not in shown
