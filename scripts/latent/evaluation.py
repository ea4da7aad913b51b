# SPDX-License-Identifier: Apache-2.0
"""The tables of ``python -m scripts latent evaluate``.

FOLDED: ``smallest_area.csv``: how large a brain a slice has to show for the order of the ventricle areas to be defined.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

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
from .measures import attribute_rows, disentanglement, monotonic_share, spearman_matrix
from .paths import interpolation, traversal
from .sampling import AttributeScale, Bound, sample_with_attribute
from .space import LatentSpace, SliceSpace, TissueSpace

__all__ = [
    "ATTRIBUTE",
    "attribute_table_of",
    "conditional_table",
    "dice_table",
    "dimension_table",
    "draw_samples",
    "interval_table",
    "largest_spearman",
    "measure_table",
    "neuron_table",
    "psnr_table",
    "sample_table",
    "smallest_area_table",
]

TRAVERSALS = 100
STEPS = 9
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
SAMPLES_PER_VALUE = 40
RESAMPLES = 1000


def attribute_table_of(space: TissueSpace, rng: np.random.Generator) -> pd.DataFrame:
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
    """``neuron.csv``: how well the neuron of a constrained VAE tells the attribute of held-out slices from their codes.

    Rank correlation, mean absolute error in the attribute's unit, and the attribute's standard deviation beside it. No
    row for a recipe without :class:`scripts.losses.LinearConstraint`.
    """
    rows = []
    for term in space.config["regularisers"]:
        if not str(term.get("_target_")).endswith(LinearConstraint.__name__):
            continue
        column = int(term["attribute"])
        codes = torch.from_numpy(space.codes[space.part]).to(space.model.device)
        with torch.inference_mode():
            said = cast(torch.nn.Linear, space.model.network.neuron)(codes)[:, 0].cpu().numpy()
        said = said * term.get("scale", 1.0) + term.get("shift", 0.0)
        true = space.attributes(space.part)[:, column]
        known = np.isfinite(true)
        rows.append(
            {
                "attribute": space.names[column],
                "spearman": round(float(spearmanr(said[known], true[known]).statistic), 4),
                "mean_absolute_error": round(float(np.abs(said - true)[known].mean()), 4),
                "sd": round(float(true[known].std()), 4),
            }
        )
    return pd.DataFrame(rows)


def measure_table(space: TissueSpace) -> pd.DataFrame:
    """The five measures of :func:`~scripts.latent.measures.disentanglement` on the held-out subjects."""
    values = disentanglement(space.codes[space.part], space.attributes(space.part))
    return pd.DataFrame([{"measure": name, "value": round(value, 4)} for name, value in values.items()])


def dimension_table(space: LatentSpace) -> pd.DataFrame:
    """Of each dimension, on the held-out subjects: divergence from the prior in nats, and whether it is active."""
    codes = space.codes[space.part]
    rows: dict[str, Any] = {"dimension": range(codes.shape[1])}
    if (kl := space.model.kl(space.images[space.part])) is not None:
        rows["kl"] = kl.mean(0).round(4)
    rows["variance_of_mean"] = codes.var(0).round(4)
    rows["active"] = codes.var(0) > ACTIVE_VARIANCE
    return pd.DataFrame(rows)


def psnr_table(space: SliceSpace) -> pd.DataFrame:
    """PSNR of the decoded codes of each held-out subject, of all its slices and inside the head, and their rate.

    The rate is the divergence from the prior in bits for each pixel, what sending a sample of the posterior costs a
    coder that gets its bits back; none without a distribution.
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
    codes, subject, level = space.codes[space.part], space.subject[space.part], space.level[space.part]
    first = rng.integers(len(codes), size=count)
    subjects = np.unique(subject)
    last = []
    for index in first:
        others = subjects[subjects != subject[index]]
        rows = np.flatnonzero(subject == rng.choice(others if len(others) else subjects))
        last.append(rows[np.abs(level[rows] - level[index]).argmin()])
    return interpolation(codes[first], codes[last], 3)[:, 1]


def sample_table(space: LatentSpace, samples: Mapping[str, NDArray]) -> pd.DataFrame:
    """Every sample: its log-density, and the nearest training subject, as a check against copying.

    The rows ``test`` (the part) are real images of unseen subjects, ``test, decoded`` their reconstructions, which are
    as smooth as samples: samples that lie much closer to a training image than these do are copies.
    """
    real = space.codes[space.part]
    tables = []
    for source, codes in {**samples, f"{space.part}, decoded": real, space.part: real}.items():
        index, difference = space.nearest(
            space.images[space.part] if source == space.part else space.model.decode(codes)
        )
        tables.append(
            pd.DataFrame(
                {
                    "source": source,
                    "log_density": space.window.log_density(codes),
                    "nearest_subject": space.subject["training"][index],
                    "nearest_level": space.level["training"][index].round(4),
                    "difference": difference.round(4),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def conditional_table(
    space: TissueSpace, rng: np.random.Generator
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


ATTRIBUTE = "ventricle_area"
AREAS_MM2 = (2500.0, 3000.0, 3500.0, 4000.0, 4500.0)


def largest_spearman(tied_share: float) -> float:
    r"""The largest rank correlation that a number without ties can have with one of which a share p is equal.

    .. math:: \sqrt{1 - p^3}

    The ranks of the tied ones are their mean, which takes :math:`p^3` of the variance of the ranks away.

    Example:
        >>> largest_spearman(0.0)
        1.0
    """
    return float(np.sqrt(1 - tied_share**3))


def smallest_area_table(space: TissueSpace, dataset_dir: str) -> pd.DataFrame:
    """Rank correlation of the ventricle area with its own dimension, over the smallest brain area of a slice.

    The weights stay those of the recipe: below its own ``min_area_mm2`` they see slices unlike those of their training.

    Args:
        space: trained recipe and cohort, of which the held-out subjects are read again.
        dataset_dir: folder of dataset.json.

    Returns:
        For each smallest area the number of slices, the share of them without ventricles, the largest correlation that
        leaves possible, and that of the dimension.
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
