# SPDX-License-Identifier: Apache-2.0
"""Summary measures of a head from its region labels.

FOLDED: Mean latent code of a head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from monai.transforms import LoadImage
from tqdm import tqdm

from ..latent.space import TissueRecipe
from ..tissue import Tissue, load_tissue_slices, slice_attributes, tissue_classes

__all__ = ["CODE", "MEASURES", "CodeMeans", "Measure", "head_measures", "measure_heads"]

MM3_PER_ML = 1000.0
SLICE_MEASURES = ("cortical_thickness", "ventricle_asymmetry", "aspect")


class Measure(NamedTuple):
    """Unit of a measure, and whether its chart is made of its logarithm."""

    unit: str
    log: bool


MEASURES = {
    "brain_volume": Measure("mL", True),
    "ventricle_volume": Measure("mL", True),
    "grey_volume": Measure("mL", True),
    "white_volume": Measure("mL", True),
    "ventricle_share": Measure("", True),
    "grey_share": Measure("", False),
    "cortical_thickness": Measure("mm", False),
    "ventricle_asymmetry": Measure("", False),
    "aspect": Measure("", False),
}
"""Volumes are positive and grow with the head, so theirs is a logarithm."""


def head_measures(item: Mapping[str, Any]) -> dict[str, float]:
    """Measures of one head.

    Volumes are counted in the label file as it is: brain with its ventricles, ventricles, grey and white matter; shares
    are of the brain. Thickness, asymmetry and aspect are means over axial slices at 4 mm, see
    :mod:`scripts.tissue`.

    Args:
        item: with ``subject`` and ``label``, as :func:`scripts.data.cohort.load_datalist` gives it.

    Returns:
        A value for each of :data:`MEASURES`, in its unit.

    Raises:
        ValueError: there is no label file, it cannot be used, or there is none of a tissue in it.
    """
    slices = load_tissue_slices([item], progress=False)  # says what is wrong with a label file
    attributes = slice_attributes(slices.classes, slices.spacing_mm, names=SLICE_MEASURES)
    labels = LoadImage(image_only=True)(item["label"])
    count = torch.bincount(tissue_classes(labels).flatten().long(), minlength=len(Tissue)).numpy()
    volume = count * abs(np.linalg.det(np.asarray(labels.affine)[:3, :3])) / MM3_PER_ML
    for tissue in (Tissue.VENTRICLE, Tissue.GREY, Tissue.WHITE):
        if not count[tissue]:
            raise ValueError(
                f"the labels of subject {item['subject']} have no {tissue.name.lower()}: measures of a head need "
                "ventricles, grey and white matter, by the region numbers of MUSE."
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
    """:func:`head_measures` of several heads, a row for each, after ``subject``."""
    rows = []
    for item in tqdm(items, "measuring heads", unit="head", disable=not progress):
        rows.append({"subject": str(item["subject"]), **head_measures(item)})
    return pd.DataFrame(rows, columns=["subject", *MEASURES])


CODE = "code_"
"""Begins the names of these measures."""


class CodeMeans:
    """Means over the slices of a head of those latent dimensions that are tied to attributes.

    Args:
        recipe: a recipe with ``reg/attributes``, such as ar_vae.
        weights: ``model.pt`` of its training.

    Attributes:
        measures: for each attribute, ``code_<attribute>``; without a unit.

    Raises:
        FileNotFoundError: there is no such recipe, or no weights.
        ValueError: the recipe ties no dimension to an attribute.
    """

    def __init__(self, recipe: str, weights: str) -> None:
        self.trained = TissueRecipe(recipe, weights)
        if not self.trained.regularised:
            raise ValueError(
                f"recipe {self.trained.name} ties no latent dimension to an attribute, so that they mean nothing for a "
                "chart. Choose one that lists configs/reg/attributes.yaml, such as ar_vae."
            )
        names = self.trained.config["train"]["dataset"]["attributes"]
        self.measures = {f"{CODE}{name}": Measure("", False) for name in names}

    def __call__(self, items: Sequence[Mapping[str, Any]], progress: bool = True) -> pd.DataFrame:
        """Means of each head, in the order of ``items``: a column for each measure."""
        numbered = [{**item, "subject": str(row)} for row, item in enumerate(items)]  # a subject may have two heads
        masks = self.trained.dataset(numbered, progress)
        codes = self.trained.model.encode(masks.tissue.classes)[:, : len(self.measures)]
        head = masks.tissue.subject.astype(int)
        means = [codes[head == row].mean(0) if (head == row).any() else np.nan for row in range(len(items))]
        return pd.DataFrame(means, columns=list(self.measures))
