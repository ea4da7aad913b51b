# SPDX-License-Identifier: Apache-2.0
"""The tables of ``python -m scripts.latent evaluate``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from ..attributes import Tissue
from ..data.tissue_slices import one_hot
from ..handlers.latent_statistics import ACTIVE_VARIANCE
from ..losses import kl_per_dimension
from ..networks.latent import VariationalAutoencoder
from .conditional import AttributeScale, sample_with_attribute
from .density import Bound
from .measures import attribute_rows, disentanglement, monotonic_share
from .nearest import nearest_masks
from .paths import interpolation, traversal
from .space import LatentSpace

__all__ = [
    "attribute_table_of",
    "conditional_table",
    "dimension_table",
    "draw_samples",
    "measure_table",
    "reconstruction_table",
    "sample_table",
]

TRAVERSALS = 100
STEPS = 9
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
SAMPLES_PER_VALUE = 40


def attribute_table_of(space: LatentSpace, rng: np.random.Generator) -> pd.DataFrame:
    """``attributes.csv``: rank correlations on the held-out subjects, and how steadily each attribute can be moved.

    For the latter, up to 100 of their codes are moved along the attribute's dimension from the smallest to the largest
    training value in 9 steps, decoded and measured.
    """
    codes, training = space.codes[space.part], space.codes["training"]
    starts = codes[rng.permutation(len(codes))[:TRAVERSALS]]
    monotonic = {}
    for name in space.names:
        dimension = space.dims[name]
        values = training[:, dimension]
        path = traversal(starts, dimension, values.min(), values.max(), STEPS)
        masks = space.model.decode(path.reshape(-1, path.shape[-1]))
        profiles = space.measured(masks, [name]).reshape(len(starts), STEPS)
        share = monotonic_share(profiles)
        monotonic[name] = share if space.regularised else max(share, 1 - share)
    return pd.DataFrame(attribute_rows(space.names, codes, space.attributes(space.part), space.dims, monotonic))


def measure_table(space: LatentSpace) -> pd.DataFrame:
    """The five measures of :func:`~scripts.latents.measures.disentanglement` on the held-out subjects."""
    values = disentanglement(space.codes[space.part], space.attributes(space.part))
    return pd.DataFrame([{"measure": name, "value": round(value, 4)} for name, value in values.items()])


@torch.inference_mode()
def dimension_table(space: LatentSpace) -> pd.DataFrame:
    """Of each dimension, on the held-out subjects: divergence from the prior in nats, and whether it is active."""
    codes = space.codes[space.part]
    rows: dict[str, Any] = {"dimension": range(codes.shape[1])}
    network = space.model.network
    if isinstance(network, VariationalAutoencoder):
        batches = torch.from_numpy(space.masks[space.part].tissue.classes).split(space.model.batch_size)
        kl = torch.cat([kl_per_dimension(*network.posterior(one_hot(b).to(space.model.device))).cpu() for b in batches])
        rows["kl"] = kl.mean(0).numpy().round(4)
    rows["variance_of_mean"] = codes.var(0).round(4)
    rows["active"] = codes.var(0) > ACTIVE_VARIANCE
    return pd.DataFrame(rows)


def reconstruction_table(space: LatentSpace) -> pd.DataFrame:
    """Dice of the reconstructed masks of held-out subjects, by class, pooled over the slices of a subject."""
    tissue = space.masks[space.part].tissue
    decoded = space.model.decode(space.codes[space.part])
    rows = []
    for subject in np.unique(tissue.subject):
        of = tissue.subject == subject
        for label in list(Tissue)[1:]:
            a, b = tissue.classes[of] == label, decoded[of] == label
            total = a.sum() + b.sum()
            dice = 2 * (a & b).sum() / total if total else np.nan
            rows.append({"subject": subject, "class": label.name.lower(), "dice": dice})
    return pd.DataFrame(rows)


def draw_samples(space: LatentSpace, count: int, rng: np.random.Generator) -> tuple[dict[str, NDArray], pd.DataFrame]:
    """Codes from every source, and how rejection sampling fared.

    Returns:
        Codes ``(count, K)`` of ``prior``, ``parzen`` (exact), ``interpolation`` (half way between held-out subjects at
        the same level) and, where any was accepted, ``rejection`` (with the last bound that accepted any); and a table
        of the acceptance rate of rejection sampling for each way to take its bound.
    """
    size = space.window.codes.shape[1]
    samples = {
        "prior": rng.standard_normal((count, size)),
        "parzen": space.window.sample(count, rng),
        "interpolation": _halfway(space, count, rng),
    }
    rows = []
    for bound in get_args(Bound):
        for leave_one_out in (False, True):
            rejection = space.window.sample_by_rejection(20 * count, rng, bound, leave_one_out)
            if len(rejection.codes):
                samples["rejection"] = rejection.codes[:count]
            rows.append(
                {
                    "bound": bound,
                    "leave_one_out": leave_one_out,
                    "proposals": rejection.proposals,
                    "accepted": len(rejection.codes),
                    "acceptance_rate": rejection.acceptance_rate,
                    "share_above_bound": rejection.exceeded,
                    "log_bound": rejection.log_bound,
                }
            )
    return samples, pd.DataFrame(rows)


def _halfway(space: LatentSpace, count: int, rng: np.random.Generator) -> NDArray:
    """Codes half way between slices of two held-out subjects whose levels are closest."""
    codes, tissue = space.codes[space.part], space.masks[space.part].tissue
    first = rng.integers(len(codes), size=count)
    subjects = np.unique(tissue.subject)
    last = []
    for index in first:
        others = subjects[subjects != tissue.subject[index]]
        rows = np.flatnonzero(tissue.subject == rng.choice(others if len(others) else subjects))
        last.append(rows[np.abs(tissue.level[rows] - tissue.level[index]).argmin()])
    return interpolation(codes[first], codes[last], 3)[:, 1]


def sample_table(space: LatentSpace, samples: Mapping[str, NDArray]) -> pd.DataFrame:
    """Every sample: its log-density, and the nearest training subject, as a check against copying.

    The rows ``test`` (the part) are real masks of unseen subjects: samples that lie much closer to a training mask than
    these do are copies.
    """
    training = space.masks["training"].tissue
    tables = []
    for source, codes in {**samples, space.part: space.codes[space.part]}.items():
        masks = space.masks[space.part].tissue.classes if source == space.part else space.model.decode(codes)
        nearest, difference = nearest_masks(masks, training.classes)
        index = nearest[:, 0]
        tables.append(
            pd.DataFrame(
                {
                    "source": source,
                    "log_density": space.window.log_density(codes),
                    "nearest_subject": training.subject[index],
                    "nearest_level": training.level[index].round(4),
                    "difference": difference.round(4),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def conditional_table(
    space: LatentSpace, rng: np.random.Generator
) -> tuple[pd.DataFrame, list[NDArray], list[NDArray]]:
    """How well samples have the attribute value that was asked for.

    Returns:
        For each attribute the rank correlation of asked and measured, the mean absolute error and the training's
        standard deviation beside it; asked and measured values of each attribute.
    """
    rows, asked, got = [], [], []
    for column, name in enumerate(space.names):
        attribute = space.attributes("training")[:, column]
        scale = AttributeScale(space.codes["training"][:, space.dims[name]], attribute)
        values = np.quantile(scale.attribute, QUANTILES)
        codes = [
            sample_with_attribute(space.window, space.dims[name], scale.code(value), SAMPLES_PER_VALUE, rng)
            for value in values
        ]
        measured = space.measured(space.model.decode(np.concatenate(codes)), [name])[:, 0]
        wanted = np.repeat(values, SAMPLES_PER_VALUE)
        known = np.isfinite(measured)
        rows.append(
            {
                "attribute": name,
                "spearman": round(float(spearmanr(wanted[known], measured[known]).statistic), 4),
                "mean_absolute_error": round(float(np.abs(measured - wanted)[known].mean()), 4),
                "training_sd": round(float(np.nanstd(attribute)), 4),
            }
        )
        asked.append(wanted[known])
        got.append(measured[known])
    return pd.DataFrame(rows), asked, got
