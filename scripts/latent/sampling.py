# SPDX-License-Identifier: Apache-2.0
"""New latent codes: on straight lines, from the Parzen window of the training codes, for a wanted attribute value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import logsumexp, softmax
from scipy.stats import multivariate_normal, spearmanr

__all__ = [
    "BANDWIDTHS", "AttributeScale", "Bound", "ParzenWindow", "Rejection", "interpolation", "sample_with_attribute",
    "traversal",
]  # fmt: skip

Bound = Literal["max", "third_quartile"]
BANDWIDTHS = tuple(float(width) for width in np.geomspace(0.05, 2.0, 38))
CHUNK = 1024
"""Codes whose distances to all training codes are held in memory at a time."""


def interpolation(first: NDArray[np.floating], last: NDArray[np.floating], steps: int) -> NDArray[np.floating]:
    r"""Codes on a straight line, :math:`(1 - t) z_0 + t z_1` for t from 0 to 1.

    Args:
        first: first code ``(K,)``, or several ``(N, K)``.
        last: last code, same shape.
        steps: number of codes, both ends included.

    Returns:
        Codes ``(steps, K)``, or ``(N, steps, K)``.

    Example:
        >>> interpolation(np.array([0.0]), np.array([1.0]), 3).tolist()
        [[0.0], [0.5], [1.0]]
    """
    t = np.linspace(0, 1, steps)[:, None]
    return (1 - t) * first[..., None, :] + t * last[..., None, :]


def traversal(codes: NDArray[np.floating], dimension: int, low: float, high: float, steps: int) -> NDArray[np.floating]:
    """Codes of which one dimension goes from ``low`` to ``high``.

    Args:
        codes: starting codes ``(N, K)``.
        dimension: index of the dimension that changes.
        low: first value of the dimension, usually the smallest of the training codes.
        high: last value of the dimension.
        steps: number of values.

    Returns:
        Codes ``(N, steps, K)``.
    """
    path = np.repeat(codes[:, None, :], steps, axis=1)
    path[:, :, dimension] = np.linspace(low, high, steps)
    return path


@dataclass(frozen=True)
class Rejection:
    """Outcome of rejection sampling.

    Attributes:
        codes: accepted codes, ``(n, K)``.
        proposals: number of proposals.
        log_bound: logarithm of the factor k of the proposal's density in the assumed upper bound.
        exceeded: share of the proposals at which the window's density exceeds the bound, so that the draw is not exact.
    """

    codes: NDArray[np.float64]
    proposals: int
    log_bound: float
    exceeded: float

    @property
    def acceptance_rate(self) -> float:
        """Share of the proposals that were accepted."""
        return len(self.codes) / self.proposals


class ParzenWindow:
    r"""Gaussian kernel density of codes, :math:`p(z) = \frac1N \sum_i N(z; z_i, h^2 I)`.

    Args:
        codes: codes of the training images, ``(N, K)``.
        bandwidth: bandwidth h, > 0, in the units of the codes.

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
            codes: codes of the training images, ``(N, K)``.
            held_out: codes of images of other subjects, ``(M, K)``; those of the same would favour too narrow a window.
            bandwidths: candidates.
        """
        squared = _squared_distances(held_out, codes)
        likelihoods = [_log_density(squared, width, codes.shape[1]).mean() for width in bandwidths]
        return cls(codes, bandwidths[int(np.argmax(likelihoods))])

    def log_density(self, codes: NDArray[np.floating]) -> NDArray[np.float64]:
        """Logarithm ``(M,)`` of the density at codes ``(M, K)``."""
        parts = [codes[start : start + CHUNK] for start in range(0, len(codes), CHUNK)]
        values = [_log_density(_squared_distances(part, self.codes), self.bandwidth, codes.shape[1]) for part in parts]
        return np.concatenate(values) if values else np.zeros(0)

    def log_density_left_out(self) -> NDArray[np.float64]:
        """Logarithm ``(N,)`` of the density at each training code without its own kernel."""
        values = []
        for start in range(0, len(self.codes), CHUNK):
            squared = _squared_distances(self.codes[start : start + CHUNK], self.codes)
            rows = np.arange(len(squared))
            squared[rows, start + rows] = np.inf
            values.append(_log_density(squared, self.bandwidth, self.codes.shape[1], count=len(self.codes) - 1))
        return np.concatenate(values)

    def sample(self, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw codes ``(count, K)`` exactly: training codes plus N(0, h^2 I)."""
        chosen = self.codes[rng.integers(len(self.codes), size=count)]
        return chosen + self.bandwidth * rng.standard_normal(chosen.shape)

    def sample_by_rejection(
        self, proposals: int, rng: np.random.Generator, bound: Bound = "max", leave_one_out: bool = True
    ) -> Rejection:
        r"""Draw by rejection: propose from a Gaussian Q, accept with probability :math:`p(z) / (k Q(z))`.

        Q has the mean and covariance of the codes. k is the largest ratio p / Q at the codes, or their third quartile
        where outliers would make the largest useless. Neither is a bound elsewhere; how often it is exceeded is
        reported. With each code's own kernel in p, as published, k is so large in 16 dimensions that no proposal is
        accepted.

        Args:
            proposals: number of proposals.
            rng: random number generator.
            bound: choice of k, the largest ratio or the third quartile.
            leave_one_out: whether p at each code leaves out its own kernel.

        Raises:
            ValueError: ``bound`` is unknown.
        """
        if bound not in get_args(Bound):
            raise ValueError(f'bound must be "max" or "third_quartile", got {bound!r}.')
        proposal = multivariate_normal(self.codes.mean(0), np.cov(self.codes.T), allow_singular=True)
        at_codes = self.log_density_left_out() if leave_one_out else self.log_density(self.codes)
        ratios = at_codes - np.atleast_1d(proposal.logpdf(self.codes))
        log_bound = float(ratios.max() if bound == "max" else np.quantile(ratios, 0.75))
        proposed = proposal.rvs(proposals, random_state=rng).reshape(proposals, -1)
        log_ratio = self.log_density(proposed) - np.atleast_1d(proposal.logpdf(proposed)) - log_bound
        accepted = np.log(rng.random(proposals)) <= log_ratio
        return Rejection(proposed[accepted], proposals, log_bound, float((log_ratio > 0).mean()))


def _squared_distances(codes: NDArray[np.floating], to: NDArray[np.floating]) -> NDArray[np.float64]:
    return cdist(codes, to, "sqeuclidean")


def _log_density(
    squared: NDArray[np.float64], bandwidth: float, dimensions: int, count: int | None = None
) -> NDArray[np.float64]:
    """Log-density ``(M,)`` of ``count`` kernels, from the squared distances ``(M, N)`` to all kernels."""
    normalisation = 0.5 * dimensions * np.log(2 * np.pi * bandwidth**2) + np.log(count or squared.shape[1])
    return logsumexp(-0.5 * squared / bandwidth**2, axis=1) - normalisation


class AttributeScale:
    """Correspondence between the values of an attribute and those of its latent dimension.

    The dimension orders the training images like the attribute, or inversely, so equal ranks correspond.

    Args:
        values: values of the dimension for the training images, ``(N,)``.
        attribute: values of the attribute for the same images, ``(N,)``, NaN where undefined.

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
            ValueError: the value lies outside those of the training images: nothing is extrapolated.
        """
        if not self.attribute[0] <= attribute <= self.attribute[-1]:
            raise ValueError(
                f"the attribute's value must lie between {self.attribute[0]:g} and {self.attribute[-1]:g}, as those of "
                f"the training masks do; got {attribute:g}."
            )
        ties = np.flatnonzero(self.attribute == attribute)
        if len(ties):
            return float(np.median(self.values[ties]))
        return float(np.interp(attribute, self.attribute, self.values))


def sample_with_attribute(
    window: ParzenWindow, dimension: int, value: float, count: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    r"""Draw exactly from the window, given the value of one dimension.

    .. math:: p(z \mid z_d = v) = \sum_i w_i \, N(z_{\neg d}; z_{i \neg d}, h^2 I),
        \qquad w_i \propto \exp\left( -\frac{(v - z_{id})^2}{2 h^2} \right)

    Args:
        window: Parzen window of the training codes.
        dimension: index d of the dimension.
        value: value v of the dimension, see :meth:`AttributeScale.code`.
        count: number of codes.
        rng: random number generator.

    Returns:
        Codes ``(count, K)``.
    """
    shares = softmax(-0.5 * ((value - window.codes[:, dimension]) / window.bandwidth) ** 2)
    chosen = window.codes[rng.choice(len(window.codes), size=count, p=shares)]
    codes = chosen + window.bandwidth * rng.standard_normal(chosen.shape)
    codes[:, dimension] = value
    return codes
