# SPDX-License-Identifier: Apache-2.0
"""Slices that do not fit their neighbours, found by thresholds learned from healthy heads.

:func:`inconsistency` is the difference of a slice's attributes from those that its neighbours predict;
:class:`ConsistencyThresholds` knows how large it is in healthy heads, and which slices exceed that.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...files.atomic import write_json
from ..attributes import ATTRIBUTES, attribute_table
from ..slices import LEVELS, TissueSlices, level_windows
from .interpolation import fill_slices

__all__ = ["CONSISTENCY_ATTRIBUTES", "ConsistencyThresholds", "inconsistency"]

CONSISTENCY_ATTRIBUTES = (
    "brain_area",
    "ventricle_area",
    "grey_area",
    "white_area",
    "centroid_right",
    "centroid_anterior",
    "aspect",
    "grey_matter_depth",
)
"""Attributes that change steadily along the slices, which the asymmetry of small ventricles does not."""
FALSE_ALARM_PERCENT = 1.0
"""Share of healthy slices that are flagged."""
LEAST_VARIANCE = 0.2
"""Share of the mean variance over the levels that is added at each level, so that a pixel is no alarm where all heads
agree."""
ROUNDING = 1e-6
"""Smallest variance in any unit, for an attribute that never changes."""
FOLDS = 5
"""Folds of heads in which the limit is learned."""


def inconsistency(profile: ArrayLike) -> NDArray[np.float64]:
    r"""Difference of each value from its prediction by the four nearest neighbours.

    .. math:: e_t = a_t - \frac{4 (a_{t-1} + a_{t+1}) - (a_{t-2} + a_{t+2})}{6}

    is 0 along every cubic polynomial. Next to the ends, where a second neighbour is missing, it is the difference from
    the mean of the two neighbours, :math:`a_t - (a_{t-1} + a_{t+1}) / 2`.

    ``Differs from the paper:`` there the mean of the two neighbours is the prediction everywhere. Frames of a heart
    follow each other closely, but the attributes of brain slices 4 mm apart lie on a curve, whose bend hides small
    jumps: of slices 10 % too small, 93 instead of 90 % were found at 1 % false alarms (300 on 25 IXI heads, bounds of
    single attributes).

    Args:
        profile: attributes along the slices of a volume, ``(T, L)``.

    Returns:
        Differences ``(T, L)``; 0 at both ends, which cannot be judged, and where a value or a neighbour is undefined
        (NaN).

    References:
        Painchaud et al. 2022, see :func:`scripts.tissue.smooth_signal`.
    """
    values = np.asarray(profile, dtype=np.float64)
    error = np.zeros_like(values)
    error[1:-1] = values[1:-1] - (values[:-2] + values[2:]) / 2
    error[2:-2] = values[2:-2] - (4 * (values[1:-3] + values[3:-1]) - values[:-4] - values[4:]) / 6
    return np.nan_to_num(error)


@dataclass(frozen=True)
class ConsistencyThresholds:
    """Usual size of the :func:`inconsistency` in healthy heads, and the limit beyond which a slice is inconsistent.

    ``Differs from the paper:`` there each attribute has one threshold, the largest :math:`|e_t|` of the training
    sequences. A brain changes fast near its ends and slowly in the middle, and its attributes change together. So here
    the errors of all attributes are weighted by their covariance at the level of the slice (Mahalanobis distance), and
    the limit is chosen for a given share of false alarms. Of slices 10 % too small, 95 instead of 93 % were found (as
    in :func:`inconsistency`).

    Attributes:
        names: names of the L attributes.
        median: medians of the errors at the levels 0.05, 0.10, ... 0.95, ``(19, L)``.
        precision: inverse covariances of the errors at these levels, ``(19, L, L)``.
        limit: distance per attribute (root mean square) beyond which a slice is inconsistent.
        spacing_mm: height and width of a pixel and distance of the slices on which the thresholds were learned.
        learned_from: numbers of heads and slices, and share of false alarms.
    """

    names: tuple[str, ...]
    median: NDArray[np.float64]
    precision: NDArray[np.float64]
    limit: float
    spacing_mm: tuple[float, ...]
    learned_from: dict[str, float]

    @classmethod
    def learn(
        cls,
        slices: TissueSlices,
        slice_mm: float,
        names: Sequence[str] = CONSISTENCY_ATTRIBUTES,
        false_alarm_percent: float = FALSE_ALARM_PERCENT,
    ) -> ConsistencyThresholds:
        """Learn from healthy heads.

        The limit is exceeded by the given share of the slices of heads from which median and covariance were not
        learned (five folds).

        Args:
            slices: slices of whole heads.
            slice_mm: distance of the slices.
            names: names of the attributes.
            false_alarm_percent: share of healthy slices that are flagged, above 0 and below 100.

        Raises:
            ValueError: there are fewer heads than folds, or no slices at some level, or the share is out of range.
        """
        heads = slices.volumes()
        if len(heads) < FOLDS:
            raise ValueError(f"thresholds need at least {FOLDS} heads, got {len(heads)}.")
        if not 0 < false_alarm_percent < 100:
            raise ValueError(f"false_alarm_percent must be above 0 and below 100, got {false_alarm_percent:g}.")
        profiles = attribute_table(slices.classes, slices.spacing_mm, slices.level, names)
        errors = [inconsistency(profiles[rows])[1:-1] for rows in heads]  # the ends have no error
        levels = [slices.level[rows][1:-1] for rows in heads]
        distances = []
        for fold in range(FOLDS):
            rest = [i for i in range(len(heads)) if i % FOLDS != fold]
            usual = _error_statistics(
                np.concatenate([errors[i] for i in rest]), np.concatenate([levels[i] for i in rest])
            )
            distances += [_distance(errors[i], levels[i], *usual) for i in range(fold, len(heads), FOLDS)]
        return cls(
            tuple(names),
            *_error_statistics(np.concatenate(errors), np.concatenate(levels)),
            limit=float(np.quantile(np.concatenate(distances), 1 - false_alarm_percent / 100)),
            spacing_mm=(*slices.spacing_mm, float(slice_mm)),
            learned_from={"heads": len(heads), "slices": len(slices), "false_alarm_percent": false_alarm_percent},
        )

    def profile(self, classes: ArrayLike, level: ArrayLike) -> NDArray[np.float64]:
        """Attributes ``(T, L)`` of slices ``(T, H, W)`` at levels ``(T,)``."""
        return attribute_table(classes, self.spacing_mm[:2], level, self.names)

    def scores(self, profile: ArrayLike, level: ArrayLike) -> NDArray[np.float64]:
        """Inconsistency of each slice with its neighbours: 0 = as predicted, above 1 = inconsistent.

        Args:
            profile: attributes of the slices of a head in order, ``(T, L)``.
            level: level of each slice, ``(T,)``.

        Returns:
            Scores ``(T,)``; 0 at both ends. Undefined attributes do not count.
        """
        values = np.asarray(profile, dtype=np.float64)
        scores = np.zeros(len(values))
        inner = np.asarray(level, dtype=np.float64)[1:-1]
        scores[1:-1] = _distance(inconsistency(values)[1:-1], inner, self.median, self.precision) / self.limit
        return scores

    def consistent(self, profile: ArrayLike, level: ArrayLike) -> bool:
        """Whether no slice of a head is inconsistent; arguments of :meth:`scores`."""
        return bool((self.scores(profile, level) <= 1).all())

    def find(self, profile: ArrayLike, level: ArrayLike) -> NDArray[np.bool_]:
        """Find the wrong slices.

        A wrong slice makes its neighbours inconsistent too. So the slice with the highest score is removed, its
        attributes are filled in from the others, and the rest is judged again, until all slices are consistent. This is
        meant for single slices: of several wrong neighbours, the slices beside them may be removed instead.

        Args:
            profile: attributes of the slices of a head in order, ``(T, L)``.
            level: level of each slice, ``(T,)``.

        Returns:
            Whether each slice is wrong, ``(T,)``; never the first or the last.
        """
        values = np.asarray(profile, dtype=np.float64)
        wrong = np.zeros(len(values), dtype=bool)
        while True:
            scores = np.where(wrong, 0.0, self.scores(fill_slices(values, wrong), level))
            worst = int(scores.argmax())
            if scores[worst] <= 1:
                return wrong
            wrong[worst] = True

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a JSON file."""
        content = asdict(self)
        write_json(Path(path), {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in content.items()})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ConsistencyThresholds:
        """Read what :meth:`save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file holds something else.
        """
        text = Path(path).read_text(encoding="utf-8")
        try:
            content = json.loads(text)
            names, spacing = tuple(content["names"]), tuple(content["spacing_mm"])
            median, precision = (np.array(content[name], dtype=np.float64) for name in ("median", "precision"))
            shape = (len(LEVELS), len(names))
            if median.shape != shape or precision.shape != (*shape, len(names)) or len(spacing) != 3:
                raise ValueError("shape")
            if unknown := set(names) - set(ATTRIBUTES):
                raise ValueError(f"{unknown}")
            return cls(names, median, precision, float(content["limit"]), spacing, content["learned_from"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path} holds no thresholds. Learn them with python -m scripts tissue consistency learn."
            ) from error


def _error_statistics(
    errors: NDArray[np.float64], level: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Medians ``(19, L)`` and inverse covariances ``(19, L, L)`` of the errors in a window around each level."""
    windows = [errors[rows] for rows in level_windows(level)]
    covariance = np.stack([np.atleast_2d(np.cov(window, rowvar=False)) for window in windows])
    least = LEAST_VARIANCE * np.diagonal(covariance, axis1=1, axis2=2).mean(0)
    least = np.maximum(least, ROUNDING)
    precision = np.linalg.inv(covariance + np.diag(least))
    return np.stack([np.median(window, axis=0) for window in windows]), np.asarray(precision, dtype=np.float64)


def _distance(
    errors: NDArray[np.float64], level: NDArray[np.float64], median: NDArray[np.float64], precision: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mahalanobis distance of the errors from their median, per attribute, ``(T,)``."""
    position = np.clip(np.interp(level, LEVELS, np.arange(len(LEVELS))), 0, len(LEVELS) - 1)
    lower = np.minimum(position.astype(int), len(LEVELS) - 2)
    share = (position - lower)[:, None]
    deviation = errors - ((1 - share) * median[lower] + share * median[lower + 1])
    weights = (1 - share[..., None]) * precision[lower] + share[..., None] * precision[lower + 1]
    return np.sqrt(np.einsum("ta,tab,tb->t", deviation, weights, deviation) / errors.shape[1])
