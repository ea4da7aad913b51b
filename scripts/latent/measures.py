# SPDX-License-Identifier: Apache-2.0
"""Measures of how well single latent dimensions represent single attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import entropy, spearmanr

__all__ = [
    "attribute_rows", "disentanglement", "effect_size", "monotonic_share", "mutual_information", "spearman_matrix",
]  # fmt: skip

SPAN = (5.0, 95.0)
"""Percentiles between which a dimension moves, and from which to which an attribute is said to range."""
BINS = 20
"""Bins of the histograms that estimate distributions, as in Locatello et al."""


def spearman_matrix(codes: NDArray[np.floating], attributes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rank correlation of each attribute with each dimension.

    Args:
        codes: codes ``(N, K)``.
        attributes: attributes ``(N, L)``, NaN where undefined; such images do not count for that attribute.

    Returns:
        Correlations ``(L, K)``; 0 for a dimension or an attribute that does not vary.
    """
    matrix = np.zeros((attributes.shape[1], codes.shape[1]))
    for row, attribute in enumerate(attributes.T):
        known = np.isfinite(attribute)
        for column, values in enumerate(codes[known].T):
            if np.ptp(attribute[known]) > 0 and np.ptp(values) > 0:
                matrix[row, column] = spearmanr(attribute[known], values).statistic
    return matrix


def mutual_information(codes: NDArray[np.floating], attributes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mutual information of each attribute with each dimension, in nats, from histograms of 20 bins: ``(L, K)``."""
    matrix = np.zeros((attributes.shape[1], codes.shape[1]))
    for row, attribute in enumerate(attributes.T):
        known = np.isfinite(attribute)
        for column, values in enumerate(codes[known].T):
            joint = np.histogram2d(attribute[known], values, bins=BINS)[0]
            matrix[row, column] = entropy(joint.sum(0)) + entropy(joint.sum(1)) - entropy(joint.ravel())
    return matrix


def disentanglement(codes: NDArray[np.floating], attributes: NDArray[np.floating]) -> dict[str, float]:
    r"""Five common measures of disentanglement, each a mean over attributes (modularity: over dimensions).

    ``interpretability``: R^2 of a linear fit from the dimension with most mutual information. ``scc``: largest absolute
    rank correlation. ``mig``: gap of mutual information between the two best dimensions, divided by the attribute's
    entropy. ``sap``: gap of R^2 between the two best. ``modularity``: 1 for a dimension with information about a single
    attribute; one without any counts 0.

    Args:
        codes: codes ``(N, K)``, K > 1.
        attributes: attributes ``(N, L)``, NaN where undefined.

    Returns:
        The five numbers, in [0, 1].

    References:
        Pati and Lerch 2021 (doi:10.1007/s00521-020-05270-2) for the choice; Adel et al., ICML 2018 (interpretability);
        Chen et al., NeurIPS 2018 (MIG); Kumar et al., ICLR 2018 (SAP); Ridgeway and Mozer, NeurIPS 2018 (modularity).
    """
    information = mutual_information(codes, attributes)
    explained = _explained(codes, attributes)
    best = information.argmax(1)
    ranked, ranked_explained = np.sort(information, 1)[:, ::-1], np.sort(explained, 1)[:, ::-1]
    entropies = [entropy(np.histogram(a[np.isfinite(a)], bins=BINS)[0]) for a in attributes.T]
    return {
        "interpretability": float(explained[np.arange(len(best)), best].mean()),
        "scc": float(np.abs(spearman_matrix(codes, attributes)).max(1).mean()),
        "mig": float(np.mean((ranked[:, 0] - ranked[:, 1]) / np.maximum(entropies, 1e-12))),
        "sap": float(np.mean(ranked_explained[:, 0] - ranked_explained[:, 1])),
        "modularity": float(np.mean(_modularity(information))),
    }


def _explained(codes: NDArray[np.floating], attributes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Squared linear correlation of each attribute with each dimension, ``(L, K)``."""
    matrix = np.zeros((attributes.shape[1], codes.shape[1]))
    for row, attribute in enumerate(attributes.T):
        known = np.isfinite(attribute)
        for column, values in enumerate(codes[known].T):
            if np.ptp(attribute[known]) > 0 and np.ptp(values) > 0:
                matrix[row, column] = np.corrcoef(attribute[known], values)[0, 1] ** 2
    return matrix


def _modularity(information: NDArray[np.float64]) -> NDArray[np.float64]:
    """Modularity of each dimension, ``(K,)``, from ``(L, K)``; 1 if there is a single attribute."""
    largest = information.max(0)
    others = (information**2).sum(0) - largest**2
    deviation = others / np.maximum(largest**2 * max(len(information) - 1, 1), 1e-12)
    return np.where(largest > 1e-12, 1 - deviation, 0.0)


def monotonic_share(profiles: NDArray[np.floating]) -> float:
    """Monotonicity of an attribute along traversals.

    Args:
        profiles: attribute along each traversal, ``(N, steps)``, NaN where undefined.

    Returns:
        Share of the steps that raise the attribute, of those that change it; 0 if none does.
    """
    changes = np.diff(profiles, axis=1)
    rises, falls = (changes > 0).sum(), (changes < 0).sum()
    return float(rises / (rises + falls)) if rises + falls else 0.0


def effect_size(low: NDArray[np.floating], high: NDArray[np.floating], attribute: NDArray[np.floating]) -> float:
    """How far a move of a dimension from its 5th to its 95th percentile moves an attribute.

    Args:
        low: attribute of decoded images whose dimension is at its 5th percentile, ``(N,)``, NaN where undefined.
        high: attribute of the same images with the dimension at its 95th percentile, ``(N,)``.
        attribute: attribute of real images, ``(M,)``, NaN where undefined.

    Returns:
        Mean change as a share of the span of the attribute, from the 5th to the 95th percentile of real images; 1 for
        a dimension that moves the attribute as far as it ranges. Images of which the attribute is undefined at one of
        the ends do not count; NaN if it is in all, or if the attribute of real images does not vary.

    Example:
        >>> effect_size(np.zeros(2), np.array([50.0, 40.0]), np.arange(101.0))
        0.5
    """
    changes, (first, last) = high - low, np.nanpercentile(attribute, SPAN)
    known = np.isfinite(changes)
    return float(changes[known].mean() / (last - first)) if known.any() and last > first else float("nan")


def attribute_rows(
    names: Sequence[str],
    codes: NDArray[np.floating],
    attributes: NDArray[np.floating],
    dims: Mapping[str, int],
    monotonic: Mapping[str, float],
    effects: Mapping[str, float],
) -> list[dict[str, str | float]]:
    """The rows of ``attributes.csv``.

    Args:
        names: names of the attributes.
        codes: codes of held-out images, ``(N, K)``.
        attributes: attributes of these images, ``(N, L)``.
        dims: dimension of each attribute.
        monotonic: :func:`monotonic_share` of each attribute.
        effects: :func:`effect_size` of each attribute.

    Returns:
        For each attribute its name, ``spearman_own`` (rank correlation with its dimension), ``spearman_best_other``
        (largest absolute one with another), ``monotonic_share`` and ``effect_size``.
    """
    matrix = spearman_matrix(codes, attributes)
    return [
        {
            "attribute": name,
            "spearman_own": round(float(row[dims[name]]), 4),
            "spearman_best_other": round(float(np.abs(np.delete(row, dims[name])).max()), 4),
            "monotonic_share": round(monotonic[name], 4),
            "effect_size": round(effects[name], 4),
        }
        for name, row in zip(names, matrix, strict=True)
    ]
