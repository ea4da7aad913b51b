# SPDX-License-Identifier: Apache-2.0
"""Measures of a head for a chart: volumes, shares and shape from its region labels, or its mean latent code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from ..latent.space import TissueRecipe
from ..tissue import Tissue, load_tissue_slices, slice_attributes, tissue_classes
from ..transforms.load_volume import LoadVolumed

__all__ = ["CODE", "MEASURES", "CodeMeans", "Measure", "head_measures", "measure_heads"]

MM3_PER_ML = 1000.0
SLICE_MEASURES = ("grey_matter_depth", "ventricle_asymmetry", "aspect")
CODE = "code_"
"""Prefix of the measures that are mean latent codes."""


class Measure(NamedTuple):
    """Unit of a measure, and whether its chart is that of its logarithm."""

    unit: str
    log: bool


MEASURES = {
    "brain_volume": Measure("mL", True),
    "ventricle_volume": Measure("mL", True),
    "grey_volume": Measure("mL", True),
    "white_volume": Measure("mL", True),
    "ventricle_share": Measure("", True),
    "grey_share": Measure("", False),
    "grey_matter_depth": Measure("mm", False),
    "ventricle_asymmetry": Measure("", False),
    "aspect": Measure("", False),
}
"""Measures from region labels. Volumes are positive and scale with the head, hence their logarithm."""


def head_measures(item: Mapping[str, Any]) -> dict[str, float]:
    """Measures of one head.

    Volumes are counted in the label file as it is: brain with its ventricles, ventricles, grey and white matter; shares
    are those of the brain. Thickness, asymmetry and aspect are means over axial slices at 4 mm, see
    :mod:`scripts.tissue`.

    Args:
        item: item with ``subject`` and ``label``, as :func:`scripts.data.cohort.load_datalist` gives it.

    Returns:
        A value for each of :data:`MEASURES`, in its unit.

    Raises:
        ValueError: there is no label file, it is unusable, or it lacks a tissue.
    """
    slices = load_tissue_slices([item], progress=False)  # says what is wrong with a label file
    attributes = slice_attributes(slices.classes, slices.spacing_mm, names=SLICE_MEASURES)
    labels = LoadVolumed("label")({"label": item["label"]})["label"]
    count = torch.bincount(tissue_classes(labels).flatten().long(), minlength=len(Tissue)).numpy()
    volume = count * abs(np.linalg.det(np.asarray(labels.affine)[:3, :3])) / MM3_PER_ML
    for tissue in (Tissue.VENTRICLE, Tissue.GREY, Tissue.WHITE):
        if not count[tissue]:
            raise ValueError(
                f"the labels of subject {item['subject']} have no {tissue.name.lower()}: measures of a head need "
                "ventricles, grey and white matter, labelled with the region numbers of MUSE."
            )
    brain = volume[Tissue.VENTRICLE :].sum()
    return {
        "brain_volume": float(brain),
        "ventricle_volume": float(volume[Tissue.VENTRICLE]),
        "grey_volume": float(volume[Tissue.GREY]),
        "white_volume": float(volume[Tissue.WHITE]),
        "ventricle_share": float(volume[Tissue.VENTRICLE] / brain),
        "grey_share": float(volume[Tissue.GREY] / brain),
        **{name: float(np.nanmean(values)) for name, values in attributes.items()},
    }


def measure_heads(items: Sequence[Mapping[str, Any]], progress: bool = True) -> pd.DataFrame:
    """:func:`head_measures` of several heads, one row each, after ``subject``."""
    rows = []
    for item in tqdm(items, "measuring heads", unit="head", disable=not progress):
        rows.append({"subject": str(item["subject"]), **head_measures(item)})
    return pd.DataFrame(rows, columns=["subject", *MEASURES])


class CodeMeans:
    """Means over the slices of a head of the latent dimensions that are tied to attributes.

    Args:
        recipe: name of a recipe with ``reg/attributes``, such as ar_vae.
        weights: path of its ``model.pt``.

    Attributes:
        measures: the measure ``code_<attribute>`` of each attribute, without a unit.

    Raises:
        FileNotFoundError: there is no such recipe, or no weights.
        ValueError: the recipe ties no dimension to an attribute.
    """

    def __init__(self, recipe: str, weights: str) -> None:
        self.trained = TissueRecipe(recipe, weights)
        if not self.trained.regularised:
            raise ValueError(
                f"recipe {self.trained.name} ties no latent dimension to an attribute, so its codes mean nothing in a "
                "chart. Choose one that lists configs/reg/attributes.yaml, such as ar_vae."
            )
        names = self.trained.config["train"]["dataset"]["attributes"]
        self.measures = {f"{CODE}{name}": Measure("", False) for name in names}

    def __call__(self, items: Sequence[Mapping[str, Any]], progress: bool = True) -> pd.DataFrame:
        """Means of each head, in the order of ``items``, with one column per measure."""
        numbered = [{**item, "subject": str(row)} for row, item in enumerate(items)]  # a subject may have two heads
        masks = self.trained.dataset(numbered, progress)
        codes = self.trained.model.encode(masks.tissue.classes)[:, : len(self.measures)]
        head = masks.tissue.subject.astype(int)
        means = [codes[head == row].mean(0) if (head == row).any() else np.nan for row in range(len(items))]
        return pd.DataFrame(means, columns=list(self.measures))
