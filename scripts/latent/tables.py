# SPDX-License-Identifier: Apache-2.0
"""Tables of the evaluation of a latent space that concern real images and their codes."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from ..anatomy.head_mask import head_mask
from ..data.cohort import load_datalist
from ..evaluation.statistics import bootstrap_of_rows
from ..handlers.latent_statistics import ACTIVE_VARIANCE
from ..losses import LinearConstraint
from ..metrics import RestorationMetrics, dice_of_subjects
from ..tissue import TISSUES
from .measures import SPAN, attribute_rows, disentanglement, effect_size, monotonic_share, spearman_matrix
from .sampling import traversal
from .space import LatentSpace, SliceSpace, TissueSpace

__all__ = [
    "ATTRIBUTE", "attribute_table_of", "dice_table", "dimension_table", "interval_table", "largest_spearman",
    "measure_table", "neuron_table", "psnr_table", "smallest_area_table",
]  # fmt: skip

TRAVERSALS = 100
STEPS = 9
RESAMPLES = 1000


def attribute_table_of(space: TissueSpace, rng: np.random.Generator) -> pd.DataFrame:
    """``attributes.csv``: rank correlations on the held-out subjects, how steadily and how far dimensions move them.

    For the latter, the attribute's dimension of up to 100 of their codes goes from the smallest to the largest training
    value in 9 steps, and from the 5th to the 95th percentile; the codes are decoded and measured.
    """
    codes, training = space.codes[space.part], space.codes["training"]
    starts = codes[rng.permutation(len(codes))[:TRAVERSALS]]
    monotonic, effects = {}, {}

    def profiles(name: str, low: float, high: float, steps: int) -> NDArray[np.float64]:
        """The attribute along traversals of its dimension, ``(N, steps)``."""
        path = traversal(starts, space.dims[name], low, high, steps)
        masks = space.model.decode(path.reshape(-1, path.shape[-1]))
        return space.measured(masks, [name]).reshape(len(starts), steps)

    for column, name in enumerate(space.names):
        values = training[:, space.dims[name]]
        share = monotonic_share(profiles(name, values.min(), values.max(), STEPS))
        first, last = np.percentile(values, SPAN)
        low, high = profiles(name, first, last, 2).T
        effect = effect_size(low, high, space.attributes("training")[:, column])
        monotonic[name] = share if space.regularised else max(share, 1 - share)
        effects[name] = effect if space.regularised else abs(effect)
    attributes = space.attributes(space.part)
    return pd.DataFrame(attribute_rows(space.names, codes, attributes, space.dims, monotonic, effects))


def interval_table(space: TissueSpace, rng: np.random.Generator) -> pd.DataFrame:
    """``intervals.csv``: 95 % interval of the absolute rank correlation of each attribute with its own dimension.

    Bootstrap over the held-out subjects, with all their slices.
    """
    codes, attributes = space.codes[space.part], space.attributes(space.part)

    def own_correlations(rows: NDArray[np.intp]) -> NDArray[np.float64]:
        own = [
            spearman_matrix(codes[rows, space.dims[name], None], attributes[rows, column, None])[0, 0]
            for column, name in enumerate(space.names)
        ]
        return np.abs(own)

    low, high = bootstrap_of_rows(own_correlations, space.subject[space.part], RESAMPLES, rng).round(4)
    return pd.DataFrame({"attribute": space.names, "low": low, "high": high})


def neuron_table(space: TissueSpace) -> pd.DataFrame:
    """``neuron.csv``: accuracy with which the neuron of a constrained VAE predicts the attribute of held-out slices.

    Rank correlation, mean absolute error in the attribute's unit, and the attribute's standard deviation for
    comparison. No row for a recipe without :class:`scripts.losses.LinearConstraint`.
    """
    rows = []
    for term in space.config["regularisers"]:
        if not str(term.get("_target_")).endswith(LinearConstraint.__name__):
            continue
        column = int(term["attribute"])
        codes = torch.from_numpy(space.codes[space.part]).to(space.model.device)
        with torch.inference_mode():
            predicted = cast(torch.nn.Linear, space.model.network.neuron)(codes)[:, 0].cpu().numpy()
        predicted = predicted * term.get("scale", 1.0) + term.get("shift", 0.0)
        true = space.attributes(space.part)[:, column]
        known = np.isfinite(true)
        rows.append(
            {
                "attribute": space.names[column],
                "spearman": round(float(spearmanr(predicted[known], true[known]).statistic), 4),
                "mean_absolute_error": round(float(np.abs(predicted - true)[known].mean()), 4),
                "sd": round(float(true[known].std()), 4),
            }
        )
    return pd.DataFrame(rows)


def measure_table(space: TissueSpace) -> pd.DataFrame:
    """The five measures of :func:`~scripts.latent.measures.disentanglement` on the held-out subjects."""
    values = disentanglement(space.codes[space.part], space.attributes(space.part))
    return pd.DataFrame([{"measure": name, "value": round(value, 4)} for name, value in values.items()])


def dimension_table(space: LatentSpace) -> pd.DataFrame:
    """For each dimension, on the held-out subjects: divergence from the prior in nats, and whether it is active."""
    codes = space.codes[space.part]
    rows: dict[str, Any] = {"dimension": range(codes.shape[1])}
    if (kl := space.model.kl(space.images[space.part])) is not None:
        rows["kl"] = kl.mean(0).round(4)
    rows["variance_of_mean"] = codes.var(0).round(4)
    rows["active"] = codes.var(0) > ACTIVE_VARIANCE
    return pd.DataFrame(rows)


def psnr_table(space: SliceSpace) -> pd.DataFrame:
    """PSNR of the decoded codes of each held-out subject, over whole slices and inside the head, and their rate.

    The rate is the divergence from the prior in bits per pixel: the cost of sending a sample of the posterior with
    bits-back coding; none for a code without a distribution.
    """
    images, decoded = space.images[space.part], space.model.decode(space.codes[space.part])
    kl = space.model.kl(images)
    rows = []
    for subject in dict.fromkeys(space.subject[space.part].tolist()):
        of = np.flatnonzero(space.subject[space.part] == subject)
        target = torch.from_numpy(images[of].astype(np.float32))
        head = torch.from_numpy(head_mask(target.movedim(0, -1))).movedim(-1, 0)
        measure = RestorationMetrics(target[:, None], {"head": head[:, None]})
        values = measure(torch.from_numpy(decoded[of])[:, None])
        rows.append(
            {"subject": subject}
            | {f"psnr_{region}": round(values[region]["psnr"], 4) for region in ("whole", "head")}
            | {"bits_per_pixel": np.nan if kl is None else kl[of].sum(1).mean() / np.log(2) / images[0].size}
        )
    return pd.DataFrame(rows)


def dice_table(space: TissueSpace) -> pd.DataFrame:
    """Dice of the reconstructed masks of held-out subjects, by class, pooled over the slices of a subject."""
    masks, subjects = space.images[space.part], space.subject[space.part]
    decoded = space.model.decode(space.codes[space.part])
    return pd.DataFrame(dice_of_subjects(decoded, masks, subjects, TISSUES))


ATTRIBUTE = "ventricle_area"
AREAS_MM2 = (2500.0, 3000.0, 3500.0, 4000.0, 4500.0)


def largest_spearman(tied_share: float) -> float:
    r"""Largest rank correlation of values without ties with values of which a share p is tied.

    .. math:: \sqrt{1 - p^3}

    Tied values share the mean of their ranks, which removes :math:`p^3` of the variance of the ranks.

    Example:
        >>> largest_spearman(0.0)
        1.0
    """
    return float(np.sqrt(1 - tied_share**3))


def smallest_area_table(space: TissueSpace, dataset_dir: str) -> pd.DataFrame:
    """Rank correlation of the ventricle area with its own dimension, for several smallest brain areas of a slice.

    The weights are those of the recipe: below its own ``min_area_mm2`` they see slices unlike those of their training.

    Args:
        space: trained recipe and cohort, of which the held-out subjects are read again.
        dataset_dir: folder of dataset.json.

    Returns:
        For each smallest area the number of slices, the share without ventricles, the largest correlation that these
        ties allow, and that of the dimension.
    """
    dataset = space.trained.dataset(load_datalist(dataset_dir, space.part), min_area_mm2=min(AREAS_MM2))
    brain = (dataset.tissue.classes > 0).sum((1, 2)) * float(np.prod(dataset.tissue.spacing_mm))
    values = dataset.attributes[:, dataset.names.index(ATTRIBUTE)].numpy()
    codes = space.model.encode(dataset.tissue.classes)[:, space.dims[ATTRIBUTE]]
    rows = []
    for area in AREAS_MM2:
        of = brain >= area
        empty = float((values[of] == 0).mean()) if of.any() else np.nan
        known = of.sum() > 1 and np.ptp(values[of]) > 0
        rows.append(
            {
                "min_area_mm2": area,
                "slices": int(of.sum()),
                "without_ventricles": round(empty, 4),
                "largest_possible": round(largest_spearman(empty), 4),
                "spearman_own": round(float(spearmanr(values[of], codes[of]).statistic), 4) if known else np.nan,
            }
        )
    return pd.DataFrame(rows)
