# SPDX-License-Identifier: Apache-2.0
"""How well is it known where a segmentation is wrong? ``python -m scripts.studies.uncertainty evaluate``.

It needs a trained segmentation network (recipe tissue_unet), a trained network of images and masks (recipe crisp) and
the region labels of the cohort.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import fire
import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from ...data.cohort import load_datalist
from ...data.split import PARTS
from ...evaluation.tables import bootstrap_interval
from ...files.atomic import replacing, write_json
from ...files.errors import clean_exit
from ...networks.latent import JointAutoencoder
from ...pages.page import Section, write_latent_report
from ...recipes.trained import TrainedRecipe
from ...tissue import Tissue
from ...tissue.datasets import one_hot
from .figures import calibration_figure, correlation_figure, map_figure
from .mask_bank import MaskBank
from .measures import (
    best_threshold,
    calibration_errors,
    correlation_interval,
    error_overlaps,
    pearson,
    slice_dice,
    slice_uncertainty,
    spearman,
)
from .segmented_part import SegmentedPart, segment

__all__ = ["evaluate"]

SHOWN = (0.0, 0.02, 0.1, 0.5, 0.9, 1.0)
"""Quantiles of Dice whose slices are shown, the worst first."""


@clean_exit()
def evaluate(
    dataset_dir: str = "",
    segmentation_weights: str | None = None,
    crisp_weights: str | None = None,
    output_dir: str = "eval/uncertainty",
    segmentation_recipe: str = "tissue_unet",
    crisp_recipe: str = "crisp",
    masks: int = 50,
    passes: int = 20,
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Compare maps of uncertainty with the errors of a segmentation network on the test subjects.

    Writes uncertainty.csv (a row for each method: correlation of a slice's uncertainty with its error, calibration
    error, overlap of uncertain and wrong pixels), slices.csv, segmentation.csv (Dice of each subject and class),
    summary.json and report.html.

    Args:
        dataset_dir: folder of dataset.json (python -m scripts prepare), with region labels.
        segmentation_weights: model.pt of a training of the segmentation recipe; that in eval/tissue_unet by default.
        crisp_weights: model.pt of a training of the CRISP recipe; that in eval/crisp by default.
        output_dir: folder of the results.
        segmentation_recipe: a recipe from T1 slices to tissue masks, with dropout.
        crisp_recipe: a recipe of images and masks.
        masks: how many training masks, those that fit the image best, CRISP compares the prediction with.
        passes: of Monte-Carlo dropout.
        seed: of dropout and of the bootstrap.
        device: cpu or cuda.
    """
    for name, value in {"masks": masks, "passes": passes}.items():
        _at_least_one(name, value)
    segmentation = TrainedRecipe(segmentation_recipe, segmentation_weights, device)
    crisp = TrainedRecipe(crisp_recipe, crisp_weights, device)
    unet, joint = segmentation.network, _joint_network(crisp)
    data = {part: segmentation.dataset(load_datalist(dataset_dir, part)) for part in PARTS}
    directions = _mask_directions(joint, data["training"].classes, device)
    bank = MaskBank(directions, data["training"].classes, masks)
    validation, test = (segment(data[part], unet, joint, bank, passes, seed, device) for part in ("validation", "test"))
    folder = Path(output_dir)
    slices = _slice_table(test)
    table = _method_table(validation, test, slices, seed)
    dice = _segmentation_table(test)
    for name, rows in {"uncertainty": table, "slices": slices, "segmentation": dice}.items():
        with replacing(folder / f"{name}.csv") as partial:
            rows.to_csv(partial, index=False, float_format="%.6g")
    summary = {
        "segmentation_weights": str(segmentation.weights),
        "crisp_weights": str(crisp.weights),
        "seed": seed,
        "masks": bank.count,
        "passes": passes,
        "bandwidth": bank.bandwidth,
        "subjects": {part: len(np.unique(values.tissue.subject)) for part, values in data.items()},
        "slices": {part: len(values) for part, values in data.items()},
        "dice": dice.groupby("class")["dice"].mean().round(4).to_dict(),
        "dice_of_nearest_mask": round(float(slices["dice_of_nearest_mask"].mean()), 4),
        "wrong_pixels": round(float(test.error[(test.predicted > 0) | (test.label > 0)].float().mean()), 4),
    }
    write_json(folder / "summary.json", summary)
    title = "Uncertainty of a segmentation"
    write_latent_report(title, _facts(summary), _sections(test, slices, table), folder / "report.html")
    sys.stdout.write(f"{table.to_string(index=False, float_format='%.3f')}\nwrote {folder / 'report.html'}\n")


def _at_least_one(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"--{name} must be a whole number of at least 1, got {value!r}.")


def _joint_network(crisp: TrainedRecipe) -> JointAutoencoder:
    if not isinstance(crisp.network, JointAutoencoder):
        raise ValueError(
            f"recipe {crisp.name} has a {type(crisp.network).__name__}, which does not see images and masks. Choose "
            "one whose config_file lists configs/net/joint_autoencoder.yaml, such as crisp."
        )
    return crisp.network


@torch.inference_mode()
def _mask_directions(joint: JointAutoencoder, classes: torch.Tensor, device: str) -> torch.Tensor:
    batches = tqdm(classes.split(256), "encoding masks", unit="batch")
    return torch.cat([joint.mask_direction(one_hot(batch).to(device)).cpu() for batch in batches])


def _slice_table(test: SegmentedPart) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "subject": test.subjects,
            "level": test.level,
            "dice": slice_dice(test.predicted, test.label),
            "dice_of_nearest_mask": slice_dice(test.nearest, test.label),
            **{method: slice_uncertainty(maps, test.predicted) for method, maps in test.maps.items()},
        }
    )


def _method_table(validation: SegmentedPart, test: SegmentedPart, slices: pd.DataFrame, seed: int) -> pd.DataFrame:
    """``uncertainty.csv``."""
    error = 1 - slices["dice"].to_numpy()
    by_subject = slices.groupby("subject").mean(numeric_only=True)
    rows = []
    for method in tqdm(test.maps, "comparing", unit="method"):
        value = slices[method].to_numpy()
        low, high = correlation_interval(value, error, test.subjects, seed)
        calibration = calibration_errors(test.maps[method], test.predicted, test.label, test.subjects)
        ece_low, ece_high = bootstrap_interval(calibration, seed)
        threshold = best_threshold(validation.maps[method], validation.error, validation.subjects)
        overlaps = error_overlaps(test.maps[method], test.error, test.subjects, threshold)
        overlap_low, overlap_high = bootstrap_interval(overlaps, seed)
        rows.append(
            {
                "method": method,
                "spearman": spearman(value, error),
                "spearman_low": low,
                "spearman_high": high,
                "pearson": pearson(value, error),
                "spearman_subjects": spearman(by_subject[method].to_numpy(), 1 - by_subject["dice"].to_numpy()),
                "ece": calibration.mean(),
                "ece_low": ece_low,
                "ece_high": ece_high,
                "threshold": threshold,
                "overlap": overlaps.mean(),
                "overlap_low": overlap_low,
                "overlap_high": overlap_high,
            }
        )
    return pd.DataFrame(rows)


def _segmentation_table(test: SegmentedPart) -> pd.DataFrame:
    """``segmentation.csv``: Dice over the whole head; NaN where neither has the class."""
    rows = []
    for subject in np.unique(test.subjects):
        head = torch.from_numpy(test.subjects == subject)
        for tissue in list(Tissue)[1:]:
            predicted, label = test.predicted[head] == tissue, test.label[head] == tissue
            size = int(predicted.sum() + label.sum())
            dice = 2 * int((predicted & label).sum()) / size if size else float("nan")
            rows.append({"subject": subject, "class": tissue.name.lower(), "dice": dice})
    return pd.DataFrame(rows)


def _facts(summary: dict[str, Any]) -> list[str]:
    dice = ", ".join(f"{name} {value:.3f}" for name, value in summary["dice"].items())
    subjects, slices = summary["subjects"], summary["slices"]
    return [
        (
            f"{slices['test']} axial slices of {subjects['test']} test subjects; thresholds from "
            f"{subjects['validation']} validation subjects, masks to compare with from {subjects['training']} training "
            "subjects."
        ),
        f"Dice of the segmentation, mean over subjects: {dice}.",
        f"Wrong pixels, of those that prediction or label call brain: {summary['wrong_pixels']:.1%}.",
        f"Dice of the training mask that fits the image best, mean over slices: {summary['dice_of_nearest_mask']:.3f}.",
        f"CRISP compares with {summary['masks']} masks; Monte-Carlo dropout averages {summary['passes']} passes.",
    ]


def _sections(test: SegmentedPart, slices: pd.DataFrame, table: pd.DataFrame) -> list[Section]:
    order = slices["dice"].to_numpy().argsort()
    rows = [int(order[round(quantile * (len(order) - 1))]) for quantile in SHOWN]
    uncertainty = {method: slices[method].to_numpy() for method in test.maps}
    correlations = correlation_figure(uncertainty, 1 - slices["dice"].to_numpy())
    maps = map_figure(test, rows, [f"Dice {slices['dice'][row]:.2f}" for row in rows])
    return [
        Section(
            "Methods",
            "Correlation of a slice's uncertainty (its sum over the predicted area) with its error, 1 - Dice, over "
            "slices and over the means of the subjects; expected calibration error of 1 - uncertainty in 20 bins, "
            "smaller is better; Dice coefficient of the pixels above the threshold, which was chosen on the validation "
            "subjects, with those that are wrong. Intervals are 95 %, over subjects. Edge marks the borders of the "
            "prediction: a method that is not above it says no more about single pixels than where the borders are.",
            table,
            {"Error against uncertainty, a point for each test slice.": correlations},
        ),
        Section(
            "Calibration",
            "A calibrated method lies on the grey line. Pixels that prediction or label call brain.",
            figures={"Pixels of all test subjects.": calibration_figure(test)},
        ),
        Section(
            "Slices",
            "From the worst segmented slice to the best; anterior is up, the subject's right on the left.",
            figures={"Black is 0, yellow 1, in the error and in the maps.": maps},
        ),
    ]


if __name__ == "__main__":
    logging.getLogger("monai").setLevel(logging.ERROR)
    fire.Fire({"evaluate": evaluate})
