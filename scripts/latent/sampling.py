# SPDX-License-Identifier: Apache-2.0
"""Parzen window of the training codes: its density, and two ways to draw from it.

FOLDED: Masks with a wanted attribute value, through the latent dimension that follows the attribute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import logsumexp, softmax
from scipy.stats import multivariate_normal, spearmanr

__all__ = ["BANDWIDTHS", "AttributeScale", "Bound", "ParzenWindow", "Rejection", "sample_with_attribute"]

Bound = Literal["max", "third_quartile"]
BANDWIDTHS = tuple(float(width) for width in np.geomspace(0.05, 2.0, 38))
CHUNK = 1024
"""Codes whose distances to all training codes are held at a time."""


@dataclass(frozen=True)
class Rejection:
    """What rejection sampling gave.

    Attributes:
        codes: the accepted ones, ``(n, K)``.
        proposals: how many were tried.
        log_bound: logarithm of the k for which k times the proposal's density was taken as an upper bound.
        exceeded: share of the proposals where the window's density was above that bound: the draw is not exact there.
    """

    codes: NDArray[np.float64]
    proposals: int
    log_bound: float
    exceeded: float

    @property
    def acceptance_rate(self) -> float:
        """Accepted share of the proposals."""
        return len(self.codes) / self.proposals


class ParzenWindow:
    r"""Gaussian kernel density of codes, :math:`p(z) = \frac1N \sum_i N(z; z_i, h^2 I)`.

    Args:
        codes: of the training images, ``(N, K)``.
        bandwidth: h, > 0, in the units of the codes.

    Raises:
        ValueError: ``bandwidth`` is not positive, or there are no codes.

    References:
        Painchaud et al., Cardiac segmentation with strong anatomical guarantees, IEEE Transactions on Medical Imaging
        39(11), 2020 (doi:10.1109/TMI.2020.3003240), for the rejection sampling of such a window.
    """

    def __init__(self, codes: NDArray[np.floating], bandwidth: float) -> None:
        if not bandwidth > 0:
            raise ValueError(f"bandwidth must be positive, got {bandwidth}.")
        if codes.ndim != 2 or len(codes) == 0:
            raise ValueError(f"codes must have the shape (N, K) with N > 0, got {codes.shape}.")
        self.codes = np.asarray(codes, np.float64)
        self.bandwidth = float(bandwidth)

    @classmethod
    def fitted(
        cls, codes: NDArray[np.floating], held_out: NDArray[np.floating], bandwidths: Sequence[float] = BANDWIDTHS
    ) -> ParzenWindow:
        """The window whose bandwidth makes the codes of other subjects most likely.

        Args:
            codes: of the training images, ``(N, K)``.
            held_out: of other subjects' images, ``(M, K)``: those of the same would choose too narrow a window.
            bandwidths: to choose from.
        """
        squared = _squared_distances(held_out, codes)
        likelihoods = [_log_density(squared, width, codes.shape[1]).mean() for width in bandwidths]
        return cls(codes, bandwidths[int(np.argmax(likelihoods))])

    def log_density(self, codes: NDArray[np.floating]) -> NDArray[np.float64]:
        """Logarithm of the density at ``(M, K)``: ``(M,)``."""
        parts = [codes[start : start + CHUNK] for start in range(0, len(codes), CHUNK)]
        values = [_log_density(_squared_distances(part, self.codes), self.bandwidth, codes.shape[1]) for part in parts]
        return np.concatenate(values) if values else np.zeros(0)

    def log_density_left_out(self) -> NDArray[np.float64]:
        """Logarithm of the density at each training code without its own kernel: ``(N,)``."""
        values = []
        for start in range(0, len(self.codes), CHUNK):
            squared = _squared_distances(self.codes[start : start + CHUNK], self.codes)
            rows = np.arange(len(squared))
            squared[rows, start + rows] = np.inf
            values.append(_log_density(squared, self.bandwidth, self.codes.shape[1], count=len(self.codes) - 1))
        return np.concatenate(values)

    def sample(self, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw exactly: a training code, plus N(0, h^2 I). ``(count, K)``."""
        chosen = self.codes[rng.integers(len(self.codes), size=count)]
        return chosen + self.bandwidth * rng.standard_normal(chosen.shape)

    def sample_by_rejection(
        self,
        proposals: int,
        rng: np.random.Generator,
        bound: Bound = "max",
        leave_one_out: bool = True,
    ) -> Rejection:
        r"""Draw as the lecture does: propose from a Gaussian Q, keep with probability :math:`p(z) / (k Q(z))`.

        Q has the mean and covariance of the codes. k is the largest ratio p / Q at the codes, or its third quartile,
        where outliers would make the largest useless. It is no bound elsewhere; how often it fails is reported. With
        each code's own kernel in p, as published, k is so large in 16 dimensions that nothing is kept.

        Args:
            proposals: codes to try.
            rng: source of chance.
            bound: how k is taken.
            leave_one_out: take p at each code without its own kernel.

        Raises:
            ValueError: ``bound`` is unknown.
        """
        if bound not in get_args(Bound):
            raise ValueError(f'bound must be "max" or "third_quartile", got {bound!r}.')
        proposal = multivariate_normal(self.codes.mean(0), np.cov(self.codes.T), allow_singular=True)
        at_codes = self.log_density_left_out() if leave_one_out else self.log_density(self.codes)
        ratios = at_codes - np.atleast_1d(proposal.logpdf(self.codes))
        log_bound = float(ratios.max() if bound == "max" else np.quantile(ratios, 0.75))
        tried = proposal.rvs(proposals, random_state=rng).reshape(proposals, -1)
        log_ratio = self.log_density(tried) - np.atleast_1d(proposal.logpdf(tried)) - log_bound
        kept = np.log(rng.random(proposals)) <= log_ratio
        return Rejection(tried[kept], proposals, log_bound, float((log_ratio > 0).mean()))


def _squared_distances(codes: NDArray[np.floating], to: NDArray[np.floating]) -> NDArray[np.float64]:
    return cdist(codes, to, "sqeuclidean")


def _log_density(
    squared: NDArray[np.float64], bandwidth: float, dimensions: int, count: int | None = None
) -> NDArray[np.float64]:
    """From squared distances ``(M, N)`` to all kernels, of which ``count`` make up the density."""
    normalisation = 0.5 * dimensions * np.log(2 * np.pi * bandwidth**2) + np.log(count or squared.shape[1])
    return logsumexp(-0.5 * squared / bandwidth**2, axis=1) - normalisation


class AttributeScale:
    """What value of a latent dimension stands for what value of its attribute.

    The dimension orders the training images as the attribute does, or the other way round, so equal ranks belong
    together.

    Args:
        values: the dimension's values of the training images, ``(N,)``.
        attribute: their attribute, ``(N,)``, NaN where undefined.

    Raises:
        ValueError: fewer than two images have the attribute.
    """

    def __init__(self, values: NDArray[np.floating], attribute: NDArray[np.floating]) -> None:
        known = np.isfinite(attribute)
        if known.sum() < 2:
            raise ValueError(f"an attribute must be known of at least 2 training images, got {known.sum()}.")
        self.attribute = np.sort(attribute[known].astype(np.float64))
        self.values = np.sort(values[known].astype(np.float64))
        if spearmanr(values[known], attribute[known]).statistic < 0:
            self.values = self.values[::-1]

    def code(self, attribute: float) -> float:
        """Value of the dimension for a value of the attribute.

        Raises:
            ValueError: no training image has so little or so much of it: nothing is extrapolated.
        """
        if not self.attribute[0] <= attribute <= self.attribute[-1]:
            raise ValueError(
                f"the attribute's value must lie between {self.attribute[0]:g} and {self.attribute[-1]:g}, what the "
                f"training masks have; got {attribute:g}."
            )
        ties = np.flatnonzero(self.attribute == attribute)
        if len(ties):
            return float(np.median(self.values[ties]))
        return float(np.interp(attribute, self.attribute, self.values))


def sample_with_attribute(
    window: ParzenWindow, dimension: int, value: float, count: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    r"""Draw from the window given that one dimension has a value, exactly.

    .. math:: p(z \mid z_d = v) = \sum_i w_i \, N(z_{\neg d}; z_{i \neg d}, h^2 I),
        \qquad w_i \propto \exp\left( -\frac{(v - z_{id})^2}{2 h^2} \right)

    Args:
        window: of the training codes.
        dimension: d.
        value: v, see :meth:`AttributeScale.code`.
        count: number of codes.
        rng: source of chance.

    Returns:
        ``(count, K)``.
    """
    shares = softmax(-0.5 * ((value - window.codes[:, dimension]) / window.bandwidth) ** 2)
    chosen = window.codes[rng.choice(len(window.codes), size=count, p=shares)]
    codes = chosen + window.bandwidth * rng.standard_normal(chosen.shape)
    codes[:, dimension] = value
    return codes
