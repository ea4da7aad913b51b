# SPDX-License-Identifier: Apache-2.0
"""Two sites train one network without sharing an image, each a ``MonaiAlgo`` on this bundle's own training config."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.fl.client import MonaiAlgo
from monai.fl.utils.constants import ExtraItems, FlStatistics, ModelType, WeightType
from monai.fl.utils.exchange_object import ExchangeObject

from tests.helpers.tiny_cohort import write_tiny_cohort

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 2
SITES = {"north": (["a", "b"], ["d"]), "south": (["c"], ["e"])}  # training, validation: no head in common
SLICES = [6, 3]  # for training
Weights = dict[str, torch.Tensor]

pytestmark = pytest.mark.filterwarnings("ignore:executing the bundle config:UserWarning")


def write_site(folder: Path, training: list[str], validation: list[str]) -> Path:
    """The tiny cohort without the heads of other sites."""
    write_tiny_cohort(folder)
    cohort = json.loads((folder / "dataset.json").read_text())
    items = {item["subject"]: item for part in ("training", "validation", "test") for item in cohort[part]}
    for subject in items.keys() - {*training, *validation}:
        (folder / f"{subject}.nii.gz").unlink()
    parts = {"training": [items[s] for s in training], "validation": [items[s] for s in validation], "test": []}
    (folder / "dataset.json").write_text(json.dumps(cohort | parts))
    return folder


def client(name: str, dataset_dir: Path, send_weight_diff: bool = False, **override: object) -> MonaiAlgo:
    """A site: its own training goes to ``local``, the record of the global network to ``global``."""
    settings = {
        "bundle_root": str(ROOT),
        "dataset_dir": str(dataset_dir),
        "batch_size": 3,
        "max_epochs": ROUNDS,
        "device": "$torch.device('cpu')",
        "amp": False,
        "cache_dir": str(dataset_dir / "cache"),
    }
    algo = MonaiAlgo(
        bundle_root=str(ROOT),
        local_epochs=1,
        send_weight_diff=send_weight_diff,
        config_train_filename="configs/train.yaml",
        train_kwargs=settings | {"output_dir": str(dataset_dir / "local")} | override,
        config_evaluate_filename="configs/train.yaml",
        eval_kwargs=settings | {"output_dir": str(dataset_dir / "global")} | override,
        best_model_filepath=str(dataset_dir / "global" / "model.pt"),
    )
    algo.initialize({ExtraItems.CLIENT_NAME: name})
    return algo


def copied(message: ExchangeObject) -> Weights:
    """What a message holds, as sending it would leave it: ``MonaiAlgo`` hands out the network's own memory."""
    return {name: value.clone() for name, value in message.weights.items()}


def average(updates: list[Weights]) -> Weights:
    """What the server does: federated averaging, each site by its slices (McMahan et al. 2017, arXiv:1602.05629)."""
    pairs = list(zip(updates, SLICES, strict=True))
    return {name: sum(update[name] * (n / sum(SLICES)) for update, n in pairs) for name in updates[0]}


@dataclass
class Federation:
    clients: list[MonaiAlgo]
    weights: list[Weights]
    """The global network before each round and after the last."""
    losses: list[list[float]]
    """Its loss on the held-out slices of each site."""
    updates: list[ExchangeObject]
    """What the sites sent in the last round."""


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Federation:
    folder = tmp_path_factory.mktemp("sites")
    clients = [client(name, write_site(folder / name, *subjects)) for name, subjects in SITES.items()]
    run = Federation(clients, [copied(clients[0].get_weights())], [], [])

    def validate() -> None:
        message = ExchangeObject(weights=run.weights[-1], weight_type=WeightType.WEIGHTS)
        run.losses.append([algo.evaluate(message).metrics["val_loss"] for algo in clients])

    for _ in range(ROUNDS):
        validate()
        for algo in clients:
            algo.train(ExchangeObject(weights=run.weights[-1], weight_type=WeightType.WEIGHTS))
        run.updates = [algo.get_weights() for algo in clients]
        run.weights.append(average([copied(update) for update in run.updates]))
    validate()
    return run


def test_each_site_reads_its_own_heads(federation):
    datasets = [algo.trainer.data_loader.dataset for algo in federation.clients]
    assert [{item["subject"] for item in dataset.data} for dataset in datasets] == [{"a", "b"}, {"c"}]
    assert [len(dataset) for dataset in datasets] == SLICES


def test_every_site_evaluates_the_mean_weighted_by_slices(federation):
    north, south = (update.weights for update in federation.updates)
    assert any(not torch.equal(north[name], south[name]) for name in north)
    for algo in federation.clients:
        state = algo.evaluator.network.state_dict()
        assert state.keys() == north.keys()
        for name, value in state.items():
            mean = np.average([north[name].numpy(), south[name].numpy()], axis=0, weights=SLICES)
            np.testing.assert_allclose(value, mean.astype(value.numpy().dtype), rtol=1e-5, atol=1e-7, err_msg=name)


def test_held_out_loss_falls_at_every_site(federation):
    before, after = federation.losses[0], federation.losses[-1]
    assert all(late < early for early, late in zip(before, after, strict=True)), federation.losses


def test_only_weights_and_counts_leave_a_site(federation):
    for algo, update in zip(federation.clients, federation.updates, strict=True):
        shapes = {name: value.shape for name, value in algo.trainer.network.state_dict().items()}
        assert {name: value.shape for name, value in update.weights.items()} == shapes
        assert (update.optim, update.metrics) == (None, None)
        assert all(isinstance(value, int) for value in update.statistics.values())
    steps = [update.statistics[FlStatistics.NUM_EXECUTED_ITERATIONS] for update in federation.updates]
    assert steps == [2, 1]  # batches of three slices


def test_best_model_of_a_site_is_the_best_global_network(federation):
    for site, algo in enumerate(federation.clients):
        losses = [round_losses[site] for round_losses in federation.losses]
        expected = federation.weights[int(np.argmin(losses))]
        best = algo.get_weights({ExtraItems.MODEL_TYPE: ModelType.BEST_MODEL}).weights
        assert all(torch.equal(best[name], expected[name].to(best[name].dtype)) for name in best)


def test_a_round_starts_from_the_weights_it_is_given(tmp_path):
    algo = client("north", write_site(tmp_path, *SITES["north"]), send_weight_diff=True, learning_rate=0.0)
    given = {name: 1.1 * value for name, value in algo.trainer.network.state_dict().items()}
    algo.train(ExchangeObject(weights=given))
    difference = algo.get_weights()
    assert difference.weight_type == WeightType.WEIGHT_DIFF
    parameters = dict(algo.trainer.network.named_parameters())
    assert all((difference.weights[name] == 0).all() for name in parameters)  # nothing is learned at a rate of 0
    statistics = [name for name in difference.weights if name.endswith("running_mean")]
    assert statistics
    assert all((difference.weights[name] != 0).any() for name in statistics)  # but the batches were seen


def test_finalizing_ends_the_training(tmp_path):
    algo = client("south", write_site(tmp_path, *SITES["south"]))
    assert not algo.trainer.should_terminate
    algo.finalize()
    assert algo.trainer.should_terminate
