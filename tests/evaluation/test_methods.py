# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from torch import nn

from scripts.baselines import Biharmonic, identity
from scripts.evaluation import (
    NetworkMethod,
    RestoreAndMeasure,
    make_conditions,
    make_methods,
    published_networks,
    subject_slices,
    trained_network,
)
from scripts.inference.data_consistency import DataConsistency
from scripts.networks import ResidualUNet, ShallowResidualPreactivation, SkipCAE
from scripts.recipes.provenance import split_hash


@pytest.fixture
def item():
    volume = torch.zeros(1, 30, 26, 12)
    volume[:, 6:24, 5:21, 2:10] = 0.5 + 0.5 * torch.rand(18, 16, 8, generator=torch.Generator().manual_seed(0))
    label = torch.zeros(1, 30, 26, 12)
    label[:, 10:20, 8:18, 3:9] = 5
    return {"image": volume, "label": label, "subject": "s1", "slices": [3, 5, 8]}


class PlusOne(nn.Module):
    """Shows its input's size and value."""

    def forward(self, x):
        assert x.shape[-2] % 8 == 0
        assert x.shape[-1] % 8 == 0
        return x + 1


def test_network_method_pads_and_cuts_back_in_batches():
    images = torch.rand(5, 1, 30, 26) * 3 - 1
    torch.testing.assert_close(NetworkMethod(PlusOne(), batch_size=2)(images), images + 1)
    torch.testing.assert_close(NetworkMethod(PlusOne(), clip=True)(images), images.clamp(0, 1) + 1)


def test_trained_network_reads_its_weights(tmp_path):
    network = ResidualUNet(residual_output=True)
    nn.init.normal_(network.get_parameter(next(name for name, _ in network.named_parameters())))
    torch.save(network.state_dict(), tmp_path / "model.pt")
    images = torch.rand(2, 1, 24, 20)
    expected = NetworkMethod(network.eval())(images)
    loaded = trained_network(ResidualUNet(residual_output=True), str(tmp_path / "model.pt"), torch.device("cpu"))
    torch.testing.assert_close(loaded(images), expected, atol=1e-5, rtol=1e-5)
    published = published_networks(str(tmp_path / "model.pt"), torch.device("cpu"))
    assert published is not None
    assert published[""].clip


def test_each_file_of_published_weights_is_a_row_with_its_own_network(tmp_path):
    networks = {"shallow": ShallowResidualPreactivation(double_norm=True), "skip": SkipCAE()}
    for name, network in networks.items():
        torch.save(network.state_dict(), tmp_path / f"{name}.pt")
    makers = {"published": lambda: published_networks(str(tmp_path), torch.device("cpu"))}
    methods = make_methods(["published"], makers)
    assert list(methods) == ["published_shallow", "published_skip"]
    images = torch.rand(2, 1, 24, 20)
    for name, network in networks.items():
        expected = NetworkMethod(network.eval())(images)
        torch.testing.assert_close(methods[f"published_{name}"](images), expected, atol=1e-5, rtol=1e-5)


def test_missing_weights_say_how_to_make_them(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no weights at .*model\.pt: train first, .* run training"):
        trained_network(ResidualUNet(), str(tmp_path / "model.pt"), torch.device("cpu"))
    assert published_networks(None, torch.device("cpu")) is None
    with pytest.raises(
        FileNotFoundError, match=r"no published weights at .*: make them with python -m scripts import-keras"
    ):
        published_networks(str(tmp_path / "model.pt"), torch.device("cpu"))


def test_subject_slices_are_the_kept_ones_with_their_regions(item):
    subject = subject_slices(item)
    assert subject.target.shape == (3, 1, 30, 26)
    torch.testing.assert_close(subject.target[1, 0], item["image"][0, :, :, 5])
    assert set(subject.regions) == {"head", "brain"}
    assert subject.regions["head"][:, 0, 6:24, 5:21].all()
    assert not subject.regions["brain"][0, 0, :8].any()
    del item["label"]
    assert set(subject_slices(item).regions) == {"head"}
    item["mask"] = torch.ones(1, 15, 13, 12)  # of another in-plane size, as after a resizing fragment
    assert subject_slices(item).regions["brain"].all()


@pytest.mark.parametrize(("slices", "text"), [([], "got none"), ([3, 12], "got 3 to 12")])
def test_slices_outside_the_volume_are_named(item, slices, text):
    with pytest.raises(ValueError, match=f"s1: slices must be indices below 12, {text}"):
        subject_slices(item | {"slices": slices})


def test_one_row_per_condition_method_and_region(item):
    conditions = [
        *make_conditions(["mixed", "gaussian_noise", "clean"], [5]),
        *make_conditions("holes", 1),  # the slices are small
    ]
    step = RestoreAndMeasure({"network": torch.zeros_like, "input": identity, "biharmonic": Biharmonic()}, conditions)
    rows = step(None, item)
    places = {(row["corruption"], row["method"]): set() for row in rows}
    for row in rows:
        places[row["corruption"], row["method"]].add(row["region"])
    regions = {"whole", "head", "brain"}
    assert places == {
        ("mixed", "network"): regions | {"hole"}, ("holes", "network"): regions | {"hole"},
        ("mixed", "input"): regions | {"hole"}, ("holes", "input"): regions | {"hole"},
        ("mixed", "biharmonic"): regions | {"hole"}, ("holes", "biharmonic"): regions | {"hole"},
        ("gaussian_noise", "network"): regions, ("gaussian_noise", "input"): regions,
        ("clean", "network"): regions, ("clean", "input"): regions,
    }  # fmt: skip
    assert len(rows) == sum(len(names) for names in places.values())
    assert rows == step(None, item)  # the damage is fixed
    clean = [row for row in rows if row["corruption"] == "clean" and row["method"] == "input"]
    assert all(row["mse"] == 0 for row in clean)
    hole, nothing, filled = (
        next(r for r in rows if (r["corruption"], r["region"], r["method"]) == ("holes", "hole", method))
        for method in ("input", "network", "biharmonic")
    )
    assert hole["mse"] == pytest.approx(nothing["mse"])  # a hole is zero, and so is this network
    assert filled["mse"] < 0.5 * hole["mse"]
    assert {row["slices"] for row in rows} == {3}


def test_a_subject_whose_head_lost_nothing_has_no_hole_region(item):
    subject = subject_slices(item)
    nowhere = torch.zeros_like(subject.target, dtype=torch.bool)
    assert "hole" not in subject.with_holes(nowhere)
    assert "hole" not in subject.with_holes(None)
    everywhere = subject.with_holes(~nowhere)["hole"]
    assert torch.equal(everywhere, subject.regions["head"] & (subject.target != 0))
    noisy = subject.with_holes(~nowhere, subject.target + 0.01)["hole"]
    assert torch.equal(noisy, subject.regions["head"])  # what is erased of the air is no hole


def test_only_the_methods_of_the_rows_are_made():
    def never():
        raise AssertionError

    makers = {"network": never, "input": lambda: identity, "published": lambda: None}
    assert make_methods(["input", "published"], makers) == {"input": identity}
    with pytest.raises(ValueError, match="row 'inputs' is unknown: did you mean input"):
        make_methods(["inputs"], makers)
    with pytest.raises(ValueError, match="row 'xyz' is unknown: choose from network, input, published"):
        make_methods("xyz", makers)
    with pytest.raises(ValueError, match="no method to evaluate: set rows to some of network"):
        make_methods(["published"], makers)


def test_pictures_show_the_chosen_slice(item):
    methods = {"network": torch.zeros_like, "input": identity, "biharmonic": Biharmonic()}
    step = RestoreAndMeasure(methods, make_conditions(["clean", "holes"], [1]))
    clean, holes = (next(c for c in step.conditions if c.kind == kind) for kind in ("clean", "holes"))
    kept, images = step.pictures(subject_slices(item), clean, lambda errors: int(errors.argmax()))
    assert kept in item["slices"]
    assert list(images) == ["clean", "damaged", "network"]
    torch.testing.assert_close(images["clean"], item["image"][0, :, :, kept])
    _, images = step.pictures(subject_slices(item), holes, lambda errors: 1)
    assert list(images) == ["clean", "damaged", "network", "biharmonic"]
    changed = images["biharmonic"] != images["damaged"]
    assert changed.any()
    assert (images["damaged"][changed] == 0).all()


def test_split_hash_ignores_order_and_paths_and_notices_a_move():
    one, two = ({"subject": s, "sha256": s, "slices": [1], "image": f"/x/{s}"} for s in "ab")
    empty = {"validation": [], "test": []}
    split = split_hash({"training": [one, two]} | empty)
    assert split == split_hash({"training": [two | {"image": "/y"}, one]} | empty)
    assert split != split_hash({"training": [one], "validation": [], "test": [two]})


def test_a_reconstruction_is_given_what_was_measured_of_slices_that_are_not_padded(item):
    shapes = []

    class Right(nn.Module):
        def forward(self, x):
            shapes.append(tuple(x.shape[-2:]))
            return x

    method = NetworkMethod(Right(), batch_size=2, inferer=DataConsistency())
    step = RestoreAndMeasure({"network": method, "input": identity}, make_conditions(["random_lines", "clean"], [3]))
    rows = {(r["corruption"], r["method"], r["region"]): r["psnr"] for r in step(None, item)}
    assert ("clean", "network", "whole") not in rows  # nothing was left out
    assert ("clean", "input", "whole") in rows
    assert rows["random_lines", "network", "head"] > rows["random_lines", "input", "head"]  # the magnitude's phase
    assert shapes == [(32, 32), (32, 32)]
    subject = subject_slices(item)
    condition = make_conditions(["equispaced_lines"], [5])[0]
    kspace, measured = subject.acquisition(condition.corruption)
    assert kspace.shape == (3, 1, 30, 26, 2)
    torch.testing.assert_close(method(subject.damage(condition.corruption), kspace, torch.ones_like(measured)).mean(),
                               subject.damage(condition.corruption).mean())  # fmt: skip
    assert step.pictures(subject, condition, lambda errors: 1)[0] == 5


def test_a_reconstruction_with_the_right_image_is_right(item):
    subject = subject_slices(item)
    condition = make_conditions(["random_lines"], [5])[0]

    class Knows(nn.Module):
        def forward(self, x):
            return torch.nn.functional.pad(subject.target, (3, 3, 1, 1))

    method = NetworkMethod(Knows(), inferer=DataConsistency())
    damaged = subject.damage(condition.corruption)
    torch.testing.assert_close(method(damaged, *subject.acquisition(condition.corruption)), subject.target)
