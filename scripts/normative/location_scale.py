# SPDX-License-Identifier: Apache-2.0
"""Distribution of one measure given age and sex."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize

__all__ = ["LocationScale"]

Array = NDArray[np.float64]


class LocationScale:
    r"""Centre and spread depend on age and sex, the shape around them is that of the data.

    .. math::
        y = s(\text{age}) + b \cdot \text{sex} + \sigma r, \qquad
        \log \sigma = c_0 + c_1 \text{age} + c_2 \text{sex}

    with a natural cubic spline s. Both parts are fitted together, by the likelihood of a normal distribution; the
    shape of r is not assumed but taken from the heads: where a new head lies is the rank of its r among theirs, each
    computed with the centre that the other heads alone give (leave-one-out, in closed form from the leverage; the
    spread is that of all heads). Ranks of exchangeable values are uniform, so percentiles are calibrated over the
    population even where r is skewed.

    Args:
        age: years, ``(n,)``.
        female: whether a head is a woman's, ``(n,)``.
        y: the measure, ``(n,)``.
        knots: ages of the spline's knots, at least two, rising; two make a straight line.

    Attributes:
        residuals: leave-one-out r of the heads, rising, ``(n,)``.

    Raises:
        ValueError: there are too few heads for the parameters, or no spread to describe.

    References:
        Harvey, Estimating regression models with multiplicative heteroscedasticity, Econometrica 44(3), 1976, for the
        spread. Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005, for the ranks (conformal
        prediction).
    """

    def __init__(self, age: ArrayLike, female: ArrayLike, y: ArrayLike, knots: Sequence[float]) -> None:
        values = np.asarray(y, dtype=np.float64)
        self.knots = np.asarray(knots, dtype=np.float64)
        centre, spread = self._designs(age, female)
        if len(values) < 3 * (centre.shape[1] + spread.shape[1]):
            raise ValueError(
                f"{len(values)} heads are too few for {centre.shape[1] + spread.shape[1]} parameters: have three times "
                "as many, or take fewer knots."
            )
        start = np.zeros(spread.shape[1])
        error = values - centre @ np.linalg.lstsq(centre, values, rcond=None)[0]
        start[0] = np.log(max(error.std(), 1e-300))
        if error.std() <= 1e-9 * max(1.0, np.abs(values).max()):
            raise ValueError("all heads lie on one curve: there is no spread to describe.")
        self._spread = minimize(_deviance, start, args=(centre, spread, values)).x
        sigma = np.exp(spread @ self._spread)
        weighted = centre / sigma[:, None]
        orthogonal, _ = np.linalg.qr(weighted)
        leverage = np.square(orthogonal).sum(1)  # of each head on its own fit
        self._centre = np.linalg.lstsq(weighted, values / sigma, rcond=None)[0]
        self.residuals = np.sort((values - centre @ self._centre) / sigma / (1 - leverage))

    def deviation(self, age: ArrayLike, female: ArrayLike, y: ArrayLike) -> Array:
        """Distance of new heads from the centre in spreads, r, ``(m,)``."""
        centre, spread = self._designs(age, female)
        return (np.asarray(y, dtype=np.float64) - centre @ self._centre) / np.exp(spread @ self._spread)

    def percentile(self, age: ArrayLike, female: ArrayLike, y: ArrayLike) -> Array:
        """Share of heads of that age and sex that lie below, 0 to 1 (never 0 or 1), ``(m,)``."""
        r = self.deviation(age, female, y)
        below = (np.searchsorted(self.residuals, r, "left") + np.searchsorted(self.residuals, r, "right")) / 2
        return (below + 0.5) / (len(self.residuals) + 1)

    def quantile(self, age: ArrayLike, female: ArrayLike, share: float) -> Array:
        """Value below which a share of the heads of that age and sex lies, ``(m,)``."""
        centre, spread = self._designs(age, female)
        r = np.quantile(self.residuals, share, method="weibull")
        return centre @ self._centre + np.exp(spread @ self._spread) * r

    def _designs(self, age: ArrayLike, female: ArrayLike) -> tuple[Array, Array]:
        """Regressors of centre and spread."""
        years = np.asarray(age, dtype=np.float64)
        sex = np.where(np.asarray(female, dtype=bool), 0.5, -0.5)
        if len(self.knots) == 2:
            middle, half = self.knots.mean(), np.ptp(self.knots) / 2
            spline = np.stack([np.ones_like(years), (years - middle) / half], 1)
        else:  # the spline that is 1 at one knot and 0 at the others, for each knot
            spline = CubicSpline(self.knots, np.eye(len(self.knots)), bc_type="natural")(years)
        straight = 2 * (years - self.knots[0]) / (self.knots[-1] - self.knots[0]) - 1
        return np.column_stack([spline, sex]), np.column_stack([np.ones_like(years), straight, sex])


def _deviance(parameters: Array, centre: Array, spread: Array, y: Array) -> float:
    """Minus the log-likelihood of a spread, up to a constant, with the centre that is best for it."""
    log_sigma = np.clip(spread @ parameters, -300, 300)
    weight = np.exp(-log_sigma)
    fitted = centre @ np.linalg.lstsq(centre * weight[:, None], y * weight, rcond=None)[0]
    return float(log_sigma.sum() + 0.5 * (((y - fitted) * weight) ** 2).sum())
