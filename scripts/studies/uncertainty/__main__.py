# SPDX-License-Identifier: Apache-2.0
"""How well is it known where a segmentation is wrong? ``python -m scripts.studies.uncertainty``.

It needs a trained segmentation network (recipe tissue_unet), a trained network of images and masks (recipe crisp) and
the region labels of the cohort.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import pearsonr
from tqdm import tqdm

from ...data.cohort import load_datalist
from ...data.split import PARTS
from ...evaluation.statistics import bootstrap_interval
from ...files.atomic import replacing, write_csv, write_json
from ...metrics import dice_of_subjects
from ...networks.latent import JointAutoencoder
from ...recipes.trained import TrainedRecipe
from ...tissue import TISSUES
from ...tissue.datasets import one_hot
from ..command_line import run_command, say, whole_numbers
from .maps import MaskBank
from .measures import (
    best_threshold,
    calibration_errors,
    correlation,
    correlation_interval,
    error_overlaps,
    slice_dice,
    slice_uncertainty,
)
from .segmented_part import SegmentedPart, map_figure, segment

__all__ = ["evaluate"]

SHOWN = (0.0, 0.02, 0.1, 0.5, 0.9, 1.0)
"""Quantiles of Dice whose slices are shown, the worst first."""


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
    summary.json and maps.png (from the worst segmented slice to the best).

    Args:
        dataset_dir: folder of dataset.json (python -m scripts prepare), with region labels.
        segmentation_weights: model.pt of a training of the segmentation recipe; that in eval/tissue_unet by default.
        crisp_weights: model.pt of a training of the CRISP recipe; that in eval/crisp by default.
        output_dir: folder of the results.
        segmentation_recipe: recipe from T1 slices to tissue masks, with dropout.
        crisp_recipe: recipe of images and masks.
        masks: number of training masks, those that fit the image best, with which CRISP compares the prediction.
        passes: number of passes of Monte-Carlo dropout.
        seed: seed of dropout and of the bootstrap.
        device: cpu or cuda.
    """
    for name, value in {"masks": masks, "passes": passes}.items():
        whole_numbers(name, value, 1)
    segmentation = TrainedRecipe(segmentation_recipe, segmentation_weights, device)
    crisp = TrainedRecipe(crisp_recipe, crisp_weights, device)
    unet, joint = segmentation.network, _joint_network(crisp)
    data = {part: segmentation.dataset(load_datalist(dataset_dir, part)) for part in PARTS}
    bank = MaskBank(_mask_directions(joint, data["training"].classes, device), data["training"].classes, masks)
    validation, test = (segment(data[part], unet, joint, bank, passes, seed, device) for part in ("validation", "test"))
    slices = _slice_table(test)
    table = _method_table(validation, test, slices, seed)
    dice = pd.DataFrame(dice_of_subjects(test.predicted.numpy(), test.label.numpy(), test.subjects, TISSUES))
    folder = Path(output_dir)
    for name, content in {"uncertainty": table, "slices": slices, "segmentation": dice}.items():
        write_csv(folder / f"{name}.csv", content, float_format="%.6g")
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
    order = slices["dice"].to_numpy().argsort()
    rows = [int(order[round(quantile * (len(order) - 1))]) for quantile in SHOWN]
    with replacing(folder / "maps.png") as partial:
        map_figure(test, [(f"Dice {slices['dice'][row]:.2f}", row) for row in rows]).savefig(partial, dpi=130)
    say(f"{table.to_string(index=False, float_format='%.3f')}\nwrote {folder / 'uncertainty.csv'}")


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
    of_subjects = slices.groupby("subject").mean(numeric_only=True)
    rows = []
    for method in tqdm(test.maps, "comparing", unit="method"):
        value = slices[method].to_numpy()
        calibration = calibration_errors(test.maps[method], test.predicted, test.label, test.subjects)
        threshold = best_threshold(validation.maps[method], validation.error, validation.subjects)
        overlaps = error_overlaps(test.maps[method], test.error, test.subjects, threshold)
        low, high = correlation_interval(value, error, test.subjects, seed)
        row = {"method": method, "spearman": correlation(value, error), "spearman_low": low, "spearman_high": high}
        row |= {"pearson": correlation(value, error, pearsonr)}
        row |= {"spearman_subjects": correlation(of_subjects[method].to_numpy(), 1 - of_subjects["dice"].to_numpy())}
        row["ece"], (row["ece_low"], row["ece_high"]) = calibration.mean(), bootstrap_interval(calibration, seed)
        row["threshold"], row["overlap"] = threshold, overlaps.mean()
        row["overlap_low"], row["overlap_high"] = bootstrap_interval(overlaps, seed)
        rows.append(row)
    return pd.DataFrame(rows)


if __name__ == "__main__":
    run_command(evaluate, "python -m scripts.studies.uncertainty")
