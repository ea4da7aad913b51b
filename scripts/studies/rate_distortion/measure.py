# SPDX-License-Identifier: Apache-2.0
"""Rate and distortion of each subject, on its undamaged slices; and their means with intervals over subjects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from monai.data import Dataset
from torch import Tensor
from tqdm import tqdm

from ...evaluation.statistics import bootstrap_interval
from ...evaluation.subjects import SubjectSlices, subject_slices
from ...files.atomic import write_csv
from ...metrics import METRIC_NAMES, RestorationMetrics
from ...networks.blocks import SIZE_MULTIPLE
from .latent_codec import Codec

__all__ = ["measure_codecs", "measure_subject", "summarise_rates"]


def measure_codecs(codecs: Sequence[Codec], subjects: Dataset, device: torch.device | str, output: str) -> pd.DataFrame:
    """Code every subject with every codec and write the table.

    Args:
        codecs: codecs to compare.
        subjects: items as for :func:`~scripts.evaluation.subjects.subject_slices`.
        device: device on which the slices are coded and scored.
        output: CSV file; it appears whole, by rename.

    Returns:
        The table: one row for each subject, codec, rate and region, see :func:`measure_subject`.
    """
    bar = tqdm(range(len(subjects)), "coding", unit="subject", dynamic_ncols=True)
    rows = [row for index in bar for row in measure_subject(codecs, subject_slices(subjects[index], device))]
    table = pd.DataFrame(rows)
    write_csv(Path(output), table, float_format="%.6g")
    return table


@torch.no_grad()
def measure_subject(codecs: Sequence[Codec], subject: SubjectSlices) -> Iterator[Mapping[str, Any]]:
    """Rate and distortion of one subject.

    The rate counts what is passed on for all slices, per pixel of the slices as they are: the padding to sizes that a
    codec needs is the codec's own loss.

    Args:
        codecs: codecs to compare.
        subject: clean slices and regions.

    Yields:
        A row for each codec, rate and region: ``subject``, ``codec``, ``compression`` (nominal), ``bits_per_value``,
        ``values_per_pixel``, ``bits_per_pixel``, ``region``, ``slices`` and the metrics.
    """
    scores = RestorationMetrics(subject.target, subject.regions)
    pixels = subject.target.numel()
    padded, inside = _padded(subject.target)
    for codec in codecs:
        for coded in codec.code(padded):
            facts = {
                "subject": subject.subject,
                "codec": coded.codec,
                "compression": coded.compression,
                "bits_per_value": coded.bits_per_value,
                "values_per_pixel": coded.values / pixels,
                "bits_per_pixel": coded.bits / pixels,
            }
            for region, values in scores(coded.images[inside]).items():
                yield {**facts, "region": region, "slices": len(subject.target), **values}


def _padded(images: Tensor) -> tuple[Tensor, tuple[slice, ...]]:
    """Images with zeros around them, centred as in training, to sizes that networks take; and where they are in it."""
    height, width = images.shape[-2:]
    rows, columns = -height % SIZE_MULTIPLE, -width % SIZE_MULTIPLE
    top, left = rows // 2, columns // 2
    inside = (slice(None), slice(None), slice(top, top + height), slice(left, left + width))
    return F.pad(images, (left, columns - left, top, rows - top)), inside


KEYS = ["codec", "compression", "bits_per_value", "region", "metric"]
RATES = ["values_per_pixel", "bits_per_pixel"]


def summarise_rates(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Mean, spread and interval of each metric over the subjects, at each rate of each codec.

    Several trainings of one network are averaged within each subject first.

    Args:
        table: rows of :func:`~scripts.studies.rate_distortion.measure.measure_codecs` with ``seed``, of the training.
        seed: seed of the bootstrap.

    Returns:
        One row for each codec, nominal compression, bits per value (0 for floating point), region and metric: the mean
        rates ``values_per_pixel`` and ``bits_per_pixel``, ``n`` subjects, ``seeds``, ``mean``, ``sd`` and 95 % interval
        over subjects, ``seed_sd`` of the means of the trainings.
    """
    filled = table.fillna({"bits_per_value": 0})
    long = filled.melt([*KEYS[:-1], *RATES, "subject", "seed"], list(METRIC_NAMES), "metric").dropna(subset="value")
    rows = []
    for key, part in long.groupby(KEYS, sort=False):
        subjects = part.groupby("subject")["value"].mean().to_numpy()
        low, high = bootstrap_interval(subjects, seed)
        trainings = part.groupby("seed")["value"].mean()
        rows.append(
            dict(zip(KEYS, key, strict=True))
            | {rate: part[rate].mean() for rate in RATES}
            | {"n": len(subjects), "seeds": len(trainings), "mean": subjects.mean()}
            | {"sd": subjects.std(ddof=1) if len(subjects) > 1 else float("nan"), "ci_low": low, "ci_high": high}
            | {"seed_sd": trainings.std(ddof=1)}
        )
    return pd.DataFrame(rows)
