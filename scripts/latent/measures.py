# SPDX-License-Identifier: Apache-2.0
"""How well single latent dimensions stand for single attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import entropy, spearmanr

__all__ = ["attribute_rows", "disentanglement", "monotonic_share", "mutual_information", "spearman_matrix"]

BINS = 20
"""Of the histograms that stand for distributions, as in Locatello et al."""


def spearman_matrix(codes: NDArray[np.floating], attributes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rank correlation of each attribute with each dimension.

    Args:
        codes: ``(N, K)``.
        attributes: ``(N, L)``, NaN where undefined: such images do not count for that attribute.

    Returns:
        ``(L, K)`` in [-1, 1]; 0 for a dimension or an attribute that does not vary.
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
    r"""Five measures in common use, each a mean over attributes (modularity: over dimensions).

    ``interpretability``: R^2 of a line from the dimension with most mutual information. ``scc``: largest absolute rank
    correlation. ``mig``: gap of mutual information between the two best dimensions, over the attribute's entropy.
    ``sap``: gap of R^2 between the two best. ``modularity``: 1 for a dimension that knows of one attribute only; one
    that knows of none counts 0.

    Args:
        codes: ``(N, K)``, K > 1.
        attributes: ``(N, L)``, NaN where undefined.

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
    """Of each dimension, ``(K,)``, from ``(L, K)``; 1 where there is only one attribute to know of."""
    largest = information.max(0)
    others = (information**2).sum(0) - largest**2
    deviation = others / np.maximum(largest**2 * max(len(information) - 1, 1), 1e-12)
    return np.where(largest > 1e-12, 1 - deviation, 0.0)


def monotonic_share(profiles: NDArray[np.floating]) -> float:
    """How steadily an attribute rises along traversals.

    Args:
        profiles: attribute along each traversal, ``(N, steps)``, NaN where undefined.

    Returns:
        Of all steps that change the attribute, the share that raise it; 0 if none changes it.
    """
    changes = np.diff(profiles, axis=1)
    rises, falls = (changes > 0).sum(), (changes < 0).sum()
    return float(rises / (rises + falls)) if rises + falls else 0.0


def attribute_rows(
    names: Sequence[str],
    codes: NDArray[np.floating],
    attributes: NDArray[np.floating],
    dims: Mapping[str, int],
    monotonic: Mapping[str, float],
) -> list[dict[str, str | float]]:
    """The rows of ``attributes.csv``.

    Args:
        names: of the attributes.
        codes: of held-out images, ``(N, K)``.
        attributes: of the same, ``(N, L)``.
        dims: the dimension of each attribute.
        monotonic: share of steps that raise it, of each attribute.

    Returns:
        For each attribute its name, ``spearman_own`` (rank correlation with its dimension), ``spearman_best_other``
        (largest absolute one with another) and ``monotonic_share``.
    """
    matrix = spearman_matrix(codes, attributes)
    return [
        {
            "attribute": name,
            "spearman_own": round(float(row[dims[name]]), 4),
            "spearman_best_other": round(float(np.abs(np.delete(row, dims[name])).max()), 4),
            "monotonic_share": round(monotonic[name], 4),
        }
        for name, row in zip(names, matrix, strict=True)
    ]
