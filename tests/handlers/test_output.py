# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import torch
from monai.handlers import from_engine

from scripts.handlers.output import BatchOutput


def test_an_output_is_read_by_name_and_by_item():
    whole = {"pred": torch.arange(6.0).reshape(3, 2), "label": torch.zeros(3, 2), "loss": torch.tensor(0.5)}
    output = BatchOutput(whole)
    assert output["pred"] is whole["pred"]
    assert float(from_engine(["loss"], first=True)(output)) == 0.5
    pred, label = from_engine(["pred", "label"])(output)
    assert torch.equal(torch.stack(pred), whole["pred"])
    assert len(label) == len(output) == 3
    assert [float(item["pred"][0]) for item in output[1:]] == [2.0, 4.0]
