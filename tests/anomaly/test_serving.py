# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor

from scripts.anomaly import AnomalyMapper, DifferenceOfGaussians, WorkingGrid
from scripts.anomaly.serving import AnomalyInferer, ChooseAnswerd
from tests.helpers.toy_scores import toy_calibration, toy_head, toy_volume


@pytest.fixture(scope="module")
def served():
    head = toy_head(7, lesion=0.5)
    detector = DifferenceOfGaussians()
    brain = MetaTensor(head.brain[None], affine=torch.from_numpy(head.affine))
    mapper = AnomalyMapper(detector, toy_calibration(detector), WorkingGrid(lambda volume: brain), level=0.05)
    found = mapper(toy_volume(head))
    return found, AnomalyInferer(mapper)(toy_volume(head)[None])


@pytest.mark.parametrize(
    ("answer", "chosen", "dtype"),
    [
        (["clusters", "anomaly"], "clusters", torch.int16),
        ("brain_mask", "brain", torch.uint8),
        ("anomaly", "values", torch.float32),
    ],
)
def test_the_answer_is_what_the_mapper_finds(served, answer, chosen, dtype):
    found, channels = served
    item = ChooseAnswerd("pred", answer)({"pred": channels[0]})
    assert item["pred"].dtype == dtype
    assert item["pred"].any()
    assert torch.equal(item["pred"].as_tensor()[0], getattr(found, chosen).to(dtype))
    assert item["result"] == {"warnings": found.warnings}
    assert found.warnings


def test_errors(served):
    inferer = AnomalyInferer(None)
    with pytest.raises(ValueError, match="answer 'clusers' is unknown: choose from clusters, brain_mask, anomaly"):
        ChooseAnswerd("pred", "clusers")
    with pytest.raises(ValueError, match=r"one volume with its affine at a time, got the shape \(2, 1, 8, 8, 8\)"):
        inferer(MetaTensor(torch.zeros(2, 1, 8, 8, 8)))
